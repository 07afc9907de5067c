"""Pages of the site that are made from the code and from the files above ``docs/``."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
ABOVE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages by the files above ``docs/`` that they show."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of ``docs/``."""
    for name, page in ABOVE.items():
        text = (ROOT / name).read_text("utf-8")
        text = text.replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    page = File.generated(config, "reference/cli.md", content=command_line())
    files.append(page)
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, **_: object
) -> str:
    """Point links out of ``docs/`` to a page, or to the repository."""
    folder = posixpath.dirname(page.file.src_uri)

    def pointed(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[1]))
        if not path.startswith("../"):
            return match[0]
        above = path.removeprefix("../")
        target = ABOVE.get(above) or f"{config.repo_url}/blob/main/{above}"
        return f"]({target}{match[2] or ''})"

    return re.sub(r"\]\((\.\./[^)#]+)(#[^)]*)?\)", pointed, markdown)


def command_line() -> str:
    """Return the help of every verb."""
    import click

    from harness.cli.main import application
    from harness.registry import Registry, plugin_manager

    registry = Registry.of(plugin_manager())
    app = application(registry)
    context = click.Context(app, info_name="harness", obj=registry)
    return "\n".join(["# The command line", "", *_sections(app, context)])


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield a section a verb: its name, and its help as the terminal has it."""
    import click

    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name, verb in sorted(command.commands.items()):
            below = click.Context(verb, parent=context, info_name=name)
            yield from _sections(verb, below)
