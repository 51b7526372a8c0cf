"""Numbers, counts and intervals as the text a reader sees."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeGuard

LARGEST_IN_DIGITS = 1_000_000
"""Larger numbers are written with three digits and a power of ten."""

LARGEST_WITH_THOUSANDTHS = 100
"""From this number on, a terminal shows one decimal instead of three."""

UNIT_NOUNS = {"group": "group", "shared text": "unit", "text_1": "first text"}
"""What sentences call an independent unit, by the rule that made it; other units are called as the examples are."""

MISSING = "–"
"""The sign for a number that is missing or not defined."""


_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Ends(Protocol):
    """An interval; an end that could not be computed is None."""

    @property
    def low(self) -> float | None:
        """The low end."""
        ...

    @property
    def high(self) -> float | None:
        """The high end."""
        ...


def number(value: Any, decimals: int = 3) -> str:
    """Return a number with fixed decimals and a true minus sign; anything that is not a finite number becomes a dash.

    From a million on, it has three digits and a power of ten.

    >>> number(0.7714), number(-0.5, 2), number(None), number(float("nan")), number(800571252.46)
    ('0.771', '−0.50', '–', '–', '8.01e8')
    """
    if not is_number(value):
        return MISSING
    text = f"{abs(value):,.{decimals}f}"
    if abs(value) >= LARGEST_IN_DIGITS:
        text = f"{abs(value):.2e}".replace("e+0", "e").replace("+", "")
    return f"−{text}" if value < 0 and float(text.replace(",", "")) else text


def signed(value: Any, decimals: int = 3) -> str:
    """Return a number with its sign, also if it is positive; zero has none.

    >>> signed(0.085), signed(-0.012), signed(0.0001)
    ('+0.085', '−0.012', '0.000')
    """
    text = number(value, decimals)
    return f"+{text}" if text[0].isdigit() and text.strip("0.,") else text


def interval(ends: Ends | None, decimals: int = 3, write: Callable[[float, int], str] = signed) -> str:
    """Return the ends of an interval, written with their signs: ``+0.070 to +0.100``; a dash where one is missing."""
    if ends is None or ends.low is None or ends.high is None:
        return MISSING
    return f"{write(ends.low, decimals)} to {write(ends.high, decimals)}"


def sentence(text: str) -> str:
    """Return a phrase as a sentence, with a capital and a full stop.

    >>> sentence("two texts are alike")
    'Two texts are alike.'
    """
    return f"{text[:1].upper()}{text[1:]}."


def in_terminal(value: float | None, *, sign: bool = False, decimals: int | None = None) -> str:
    """Return a number for a terminal: ASCII, three decimals or one from 100 on, empty where it is missing.

    ``decimals`` replaces the three.

    >>> in_terminal(0.5, sign=True), in_terminal(183.588), in_terminal(-800571252.4), in_terminal(None)
    ('+0.500', '183.6', '-8.01e8', '')
    """
    if not is_number(value):
        return ""
    decimals = decimals or 3 if abs(value) < LARGEST_WITH_THOUSANDTHS else 1
    return (signed if sign else number)(value, decimals).replace("−", "-")


def count(value: Any, noun: str = "", plural: str = "") -> str:
    """Return a whole number with thousands separators, and its noun in singular or plural.

    >>> count(1503, "pair"), count(1, "pair"), count(2, "entry", "entries"), count(None, "pair")
    ('1,503 pairs', '1 pair', '2 entries', '– pairs')
    """
    text = f"{int(value):,}" if is_number(value) else MISSING
    if not noun:
        return text
    return f"{text} {noun if text == '1' else plural or noun + 's'}"


def setting(value: Any) -> str:
    """Return a number of any size, such as a learning rate, with up to four digits.

    >>> setting(3.1e-05), setting(0.0001), setting(0.002), setting(3.0), setting(None)
    ('3.1e−5', '1e−4', '0.002', '3', '–')
    """
    if not is_number(value) or value == 0 or abs(value) >= 0.001:
        return f"{value:g}" if is_number(value) else MISSING
    digits, exponent = f"{value:.3e}".split("e-")
    return f"{digits.rstrip('0').rstrip('.')}e−{int(exponent)}"


def percent(fraction: Any, decimals: int = 0) -> str:
    """Return a fraction as a percentage.

    >>> percent(0.95), percent(0.996, 1)
    ('95%', '99.6%')
    """
    return f"{number(100 * fraction, decimals)}%" if is_number(fraction) else MISSING


def probability(value: float) -> str:
    """Return a probability in per cent, with more digits for small ones, so that they do not look like 0.

    >>> probability(0.756), probability(0.0123), probability(0.00042), probability(0.00000001)
    ('76%', '1.2%', '0.04%', 'under 0.01%')
    """
    if value < 1e-4:
        return "under 0.01%"
    return percent(value, 0 if value >= 0.1 else 1 if value >= 0.01 else 2)


def p_value(p: float) -> str:
    """Return the probability of a test, never as 0.

    >>> p_value(1e-9), p_value(0.0042), p_value(0.25)
    ('less than 0.0001', '0.0042', '0.25')
    """
    return "less than 0.0001" if p < 1e-4 else number(p, 4 if p < 0.01 else 2)


def duration(seconds: Any) -> str:
    """Return a length of time in the one or two largest units.

    >>> duration(42.2), duration(210), duration(7400)
    ('42 s', '3 min 30 s', '2 h 3 min')
    """
    if not is_number(seconds):
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(in_bytes: Any) -> str:
    """Return a file size in the largest unit that fits.

    >>> size(512), size(83_500), size(90_900_000)
    ('512 B', '83.5 kB', '90.9 MB')
    """
    if not is_number(in_bytes):
        return MISSING
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if in_bytes >= scale:
            return f"{in_bytes / scale:.1f} {unit}"
    return f"{int(in_bytes)} B"


def shorten(text: Any, length: int) -> str:
    """Return the text in at most ``length`` characters; a cut is marked by an ellipsis.

    >>> shorten("data scientist", 6)
    'data …'
    """
    whole = " ".join(str(text).split())
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def printable(text: str) -> str:
    r"""Return a text that is harmless to a terminal and on one line: what would steer either is written out.

    These are the control characters, line ends and tabs included, the marks that turn the direction of writing, and
    halves of surrogate pairs, which cannot be encoded.

    >>> print(printable("a\x1b[31m\n\u202eb, 数据　科学"))
    a\u001b[31m\n\u202eb, 数据　科学
    """
    return _STEERING.sub(lambda match: json.dumps(match[0])[1:-1], text)


def as_markdown(text: Any) -> str:
    r"""Return a text that Markdown and HTML show unchanged, on one line.

    >>> as_markdown("a|b <i> [x](y)")
    'a\\|b &lt;i&gt; \\[x\\]\\(y\\)'
    """
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", " ".join(str(text).split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":&#8203;//")


def row_numbers(rows: Sequence[int], total: int | None = None, *, most: int = 20) -> str:
    """Return the first ``most`` row numbers as text; ``total`` is their number if there are more than in ``rows``.

    >>> row_numbers([3, 8, 9], 5)
    '3, 8, 9 and 2 more'
    """
    listed = ", ".join(str(row) for row in rows[:most])
    rest = (len(rows) if total is None else total) - min(len(rows), most)
    return f"{listed} and {rest} more" if listed and rest > 0 else listed


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a Chinese character, none for a combining mark.

    >>> display_width("data"), display_width("数据"), display_width("cafe\u0301")
    (4, 4, 4)
    """
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, width: int) -> str:
    """Return a text in at most ``width`` columns of a terminal, a cut marked by an ellipsis.

    >>> fitted("数据 scientist", 7)
    '数据 s…'
    """
    if display_width(text) <= width:
        return text
    kept = text
    while kept and display_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text as lines of at most ``width`` columns, those after the first indented.

    Lines are broken at spaces and between wide characters; a longer word, such as a path, stays whole.

    >>> wrapped("HELPED: a difference of +0.185", 16, "  ")
    ['HELPED: a', '  difference of', '  +0.185']
    """
    lines, line = list[str](), ""
    for piece in re.findall(rf"\s+|{_WIDE}|(?:(?!{_WIDE})\S)+", text):
        if display_width(line + piece) <= width or not line.strip():
            line += piece
            continue
        lines.append(line.rstrip())
        line = indent + piece.lstrip()
    return [*lines, line.rstrip()]


_WIDE = (
    r"[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff"
    r"\ufe30-\ufe6f\uff01-\uff60\U00020000-\U0003ffff]"
)
"""Characters that a line may be broken between."""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, the first column to the left and the others to the right."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]

    def padded(cell: str, place: int) -> str:
        space = " " * (widths[place] - display_width(cell))
        return space + cell if place else cell + space

    return ["  ".join(padded(cell, place) for place, cell in enumerate(row)).rstrip() for row in rows]


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether the value is a finite number; True and False are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
