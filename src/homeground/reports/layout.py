"""Lines laid out for where they go: wrapped to a terminal's width, as they are in a file or a pipe."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TextIO

from homeground.languages import translate
from homeground.wording import aligned, display_width, wrapped

UNKNOWN_WIDTH = 80
"""Columns of a terminal that does not tell."""

LONGEST_TOPIC = 16
"""Columns up to which the text after a topic (``report  runs/demo/report.html``) is indented when it is wrapped."""


def width_of(stream: TextIO | None) -> int | None:
    """Return the columns of a terminal; None for a file or pipe, whose lines are not wrapped unless COLUMNS is set."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    if stream is None or not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or UNKNOWN_WIDTH
    except (OSError, ValueError):
        return UNKNOWN_WIDTH


def laid_out(lines: Sequence[str], width: int | None) -> list[str]:
    """Return lines that are no longer than the width; what follows a topic is indented to it.

    >>> laid_out(["report  of a run that ended", ""], 24)
    ['report  of a run that', '        ended', '']
    """
    if width is None:
        return list(lines)
    short: list[str] = []
    for line in lines:
        topic = re.match(r" *\S+(?: \S+)? {2,}(?=\S)| *", line)
        indent = 0 if topic is None else display_width(topic[0])
        short += wrapped(line, width, " " * indent if indent <= min(LONGEST_TOPIC, width // 3) else "")
    return short


def table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return a table as lines, in blocks of columns one below the other where the width is too small for all."""
    rows = [[translate(cell) for cell in row] for row in rows]
    columns = len(rows[0])
    blocks = {count: aligned([row[:count] for row in rows]) for count in range(2, columns + 1)}
    if width is None:
        return blocks[columns]
    count = max((count for count, lines in blocks.items() if max(map(display_width, lines)) <= width), default=2)
    if count >= columns:
        return blocks[columns]
    return [*blocks[count], "", *table([[row[0], *row[count:]] for row in rows], width)]
