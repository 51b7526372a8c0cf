"""Results on stdout and messages on stderr: wrapped, coloured and with symbols in a terminal, plain elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from homeground.languages import translate
from homeground.reports.layout import laid_out, width_of
from homeground.wording import printable

VERDICTS = {
    "HELPED": ("green", "✓"),
    "KEPT": ("green", "✓"),
    "HURT": ("red", "✗"),
    "FORGOT": ("red", "✗"),
    "NO EVIDENCE": ("yellow", "?"),
    "UNDECIDED": ("yellow", "?"),
    "TOO FEW": ("yellow", "?"),
}
"""Colour and symbol of a verdict; it is always read without them too."""

_VERDICT = re.compile(rf"^(\W*(?:[\w ]{{0,40}}(?:: | ))?)\b({'|'.join(VERDICTS)})\b")


def show(lines: Sequence[str]) -> None:
    """Print lines of a result on stdout."""
    pieces = laid_out([_translated(printable(line)) for line in lines], width_of(sys.stdout))
    click.echo("\n".join(map(styled, pieces) if has_colour(sys.stdout) else pieces))


def _translated(line: str) -> str:
    """Return a line in the language in use, the indent before it kept."""
    text = line.lstrip()
    return line[: len(line) - len(text)] + translate(text)


def show_result(record: object, lines: Sequence[str], *, as_json: bool) -> None:
    """Print a result on stdout, as JSON on one line or in words."""
    if as_json:
        text = json.dumps(record, ensure_ascii=False)
        click.echo(text if can_show(sys.stdout, text) else json.dumps(record))
    else:
        show(lines)


def message(text: str, *, newline: bool = True) -> None:
    """Print on stderr; that a terminal was closed meanwhile is no reason for a run to fail."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True, nl=newline)


def remark(text: str) -> None:
    """Print a message on stderr, in the language in use; wrapped in a terminal, and on one line elsewhere."""
    width = width_of(sys.stderr) if sys.stderr.isatty() else None
    message("\n".join(laid_out([translate(text)], width)))


def styled(line: str) -> str:
    """Return a line with the colour and the symbol of the verdict that it begins with, after a few words at most."""

    def mark(match: re.Match[str]) -> str:
        colour, symbol = VERDICTS[match[2]]
        sign = f"{symbol} " if can_show(sys.stdout, symbol) else ""
        return match[1] + click.style(sign + match[2], fg=colour, bold=True)

    return _VERDICT.sub(mark, line)


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that shows colour; NO_COLOR and TERM=dumb say that none is wanted."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def can_show(stream: TextIO, text: str) -> bool:
    """Return whether the encoding of a stream has all characters of a text."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
