"""The foot of the page: what its words mean, where it comes from, what to read next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_leaderboard.render.page import text

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFINITIONS = {
    "upstream": "a speech model whose weights stay as they are",
    "downstream": "a head that is trained on what the upstream returns",
    "control": "a row that others must beat: chance, the majority, permuted labels, "
    "random weights; it is not ranked",
    "fold, seed": "one division into training, validation and test; one training",
    "figure": "the mean over seeds, of each over its folds",
    "[low, high]": "its 95 % interval, with other test speakers, folds and seeds drawn",
    "★, bold": "may be the best: no other system is shown to be better, while some "
    "system is",
    "=": "tied: another that may be the best has a higher figure, but none is shown to "
    "be better than this one",
    "rank": "the best and the worst that a system may have, by the same test",
    "chance": "what guessing all classes alike often reaches",
    "n": "utterances of the test",
}
DOCS = "https://github.com/speech-harness/speech-harness/blob/main/docs"
NEXT = {
    f"{DOCS}/statistics.md": "How sure a figure is: the model of the errors, how it "
    "was checked, where it must not be trusted",
    f"{DOCS}/feeding.md": "How a model is fed",
    f"{DOCS}/corpora.md": "Corpora, their defects and their splits",
}
STUDY = (
    "F. D'Asaro, J. J. Márquez Villacís, G. Rizzo, A. Bottino: Using Large Speech "
    "Models for Feature Extraction in Cross-Lingual Speech Emotion Recognition, "
    "CLiC-it 2024",
    "T. Feng, S. Narayanan: PEFT-SER, ACII 2023 (the training recipe)",
)


def footer(command: str, sources: Mapping[str, str]) -> str:
    """Write it.

    Args:
        command: What made the page.
        sources: What to cite for each corpus that it shows.
    """
    terms = "".join(
        f"<dt>{text(word)}</dt><dd>{text(meaning)}</dd>\n"
        for word, meaning in DEFINITIONS.items()
    )
    read = "".join(
        f'<li><a href="{text(link)}" rel="noreferrer">{text(about)}</a></li>\n'
        for link, about in NEXT.items()
    )
    cited = "".join(f"<li>{text(one)}.</li>\n" for one in STUDY)
    corpora = "".join(
        f"<li>{text(corpus)}: {text(source)}</li>\n"
        for corpus, source in sources.items()
    )
    made = f"<p>Made by <code>{text(command)}</code>.</p>" if command else ""
    return f"""\
<footer>
<h2>What the words mean</h2>
<dl>
{terms}</dl>
<h2>Sources</h2>
{made}
<ul>
{corpora}</ul>
<h2>To cite</h2>
<ul>
{cited}</ul>
<h2>To read next</h2>
<ul>
{read}</ul>
</footer>
"""
