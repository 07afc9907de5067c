"""Counts, durations and sizes in words, and text of others made fit to be printed.

Labels, speakers, paths and messages come from recordings' folders, archives, servers
and plugins. ``plain`` is the border: whatever is printed for a person passes it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MARKDOWN = re.compile(r"[\\`*\[\]|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What GitHub takes for markup, but for what HTML knows."""

PIECE = re.compile(r"(?:(?<!\w)'[^'\n]+'(?!\w)|\S)+")
"""What no line is broken in: a word, and what stands in quotes, such as a command."""

HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str, *, lines: bool = False) -> str:
    """Show what is not printable as its code, so that no name moves the cursor.

    That is every control and format character (ESC, C1, those that turn the direction
    of writing), every separator but the space, and half a surrogate pair.

    Args:
        text: Of anybody.
        lines: Whether it may have line feeds, which stay.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or (lines and one == "\n") else _code(one)
        for one in text
    )


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()


def wrapped(text: str, width: int) -> str:
    """Break lines between words, so that a terminal breaks none within a word.

    Args:
        text: One line or several. Lines that are short enough stay as they are.
        width: Characters of a line; what has no blank may be longer.
    """
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    lines = [indent]
    for piece in PIECE.findall(line):
        filled = lines[-1].strip()
        if filled and len(lines[-1]) + 1 + len(piece) > width:
            lines.append(indent + piece)
        else:
            lines[-1] += f" {piece}" if filled else piece
    return "\n".join(lines)


def markdown(text: str) -> str:
    """Write text as Markdown that shows it and nothing else, on one line."""
    escaped = MARKDOWN.sub(lambda found: f"\\{found[0]}", plain(text))
    return "".join(HTML.get(one, one) for one in escaped)


def fenced(text: str) -> str:
    """Write several lines as a block of Markdown that nothing in them ends."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * max(3, *(run + 1 for run in runs)) if runs else "```"
    return f"{fence}\n{plain(text, lines=True)}\n{fence}"


def json_text(value: object, default: Callable[[Any], object] | None = None) -> str:
    """Write a JSON value for a program and a terminal: unprintable text as its codes.

    Args:
        value: Anything that JSON has, and what ``default`` turns into that.
        default: As of ``json.dumps``.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, default=default)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1]
        for one in text
    )


def counted(count: int, noun: str, plural: str = "") -> str:
    """Count things in words, such as ``1 cell`` and ``2 cells``."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"


def clock(seconds: float) -> str:
    """Write a duration as 1:23 or 1:23:45."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """Write a number of bytes."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def age(seconds: float) -> str:
    """Write how long ago something was, to the largest unit."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"
