"""In which unit the offsets of a file are counted, and whether its ends are inclusive: by evidence, else characters.

Programs count characters (Unicode code points), UTF-16 units (JavaScript, Java: an emoji is two), bytes of UTF-8, what
a reader sees as one character (graphemes), or characters with a line end of two as one. The evidence is the text of
the spans where a file has it, else whether spans begin and end where words do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain

import regex

from homeground.data.annotations.marks import Mark, MarkedText
from homeground.data.segmentation import word_spans
from homeground.errors import DataError
from homeground.wording import count

LEAST_SHARE = 0.9
"""Share of the spans that have their text in a convention, from which it is that of the file."""

LEAST_SHARE_AT_WORDS = 0.8
"""The same for spans that begin and end at words."""

MOST_SHARE_OTHERWISE = 0.5
"""Share of the spans that fit when read as is usual, up to which another convention may be that of the file."""

MOST_SHARE_AGAINST = 0.1
"""Share of the spans that fit when read as is usual alone, up to which the same holds."""

LEAST_ADVANTAGE = 0.2
"""How much larger the share that fits another convention is from which the file is in doubt."""

FEWEST_SPANS = 2
"""Spans without which word boundaries are no evidence."""

MAX_SPANS = 2000
"""Spans that a convention is judged by."""

CUT = -1
"""Stands for an offset inside a character."""

Place = tuple[int, int]
"""The characters ``[start, end)`` of a text."""


def _utf16(text: str) -> Iterable[int]:
    return chain.from_iterable((place, CUT) if ord(each) > 0xFFFF else (place,) for place, each in enumerate(text))


def _utf8(text: str) -> Iterable[int]:
    sizes = (len(each.encode("utf-8", "surrogatepass")) for each in text)
    return chain.from_iterable((place, *(CUT,) * (size - 1)) for place, size in enumerate(sizes))


def _graphemes(text: str) -> Iterable[int]:
    return (match.start() for match in regex.finditer(r"\X", text))


def _single_line_ends(text: str) -> Iterable[int]:
    return (place for place, each in enumerate(text) if each != "\n" or text[max(place - 1, 0)] != "\r")


DIFFERS: dict[str, regex.Pattern[str]] = {
    "characters": regex.compile(r"(?!)"),
    "UTF-16 units": regex.compile("[\U00010000-\U0010ffff]"),
    "bytes of UTF-8": regex.compile("[^\0-\x7f]"),
    "characters, with CR LF as one": regex.compile("\r\n"),
    "graphemes": regex.compile(
        r"\r\n|[\p{M}\p{Cf}\p{Emoji_Modifier}\p{Regional_Indicator}\u0e33\u0eb3\u1100-\u11ff\ua960-\ud7ff]"
    ),
}
"""Unit → what a text holds where an offset into it may be another than in characters."""

UNITS: dict[str, Callable[[str], Iterable[int]]] = {
    "characters": lambda text: range(len(text)),
    "UTF-16 units": _utf16,
    "bytes of UTF-8": _utf8,
    "characters, with CR LF as one": _single_line_ends,
    "graphemes": _graphemes,
}
"""Unit → the place of the character that each offset stands before."""


@dataclass(frozen=True)
class Convention:
    """How offsets are counted: in which of the `UNITS`, and whether the end is the last one inside the span."""

    unit: str = "characters"
    inclusive: bool = False

    def place(self, text: str, mark: Mark) -> Place | None:
        """Return the characters of a mark; None where it ends beyond the text, cuts a character or is empty."""
        ends = self.ends(text, mark)
        return ends if min(ends) >= 0 and ends[0] < ends[1] else None

    def ends(self, text: str, mark: Mark) -> Place:
        """Return start and end in characters; -1 stands for one that is beyond the text or cuts a character."""
        start, end = mark.start, mark.end + self.inclusive
        places = _places(self.unit, text)
        first, last = (places[each] if 0 <= each < len(places) else CUT for each in (start, end))
        return first, last

    def size(self, text: str) -> int:
        """Return the length of a text in the unit."""
        return len(_places(self.unit, text)) - 1

    def __str__(self) -> str:
        """Return what is said of the convention."""
        return f"offsets in {self.unit}{', ends inclusive' if self.inclusive else ''}"


@lru_cache(maxsize=len(UNITS))
def _places(unit: str, text: str) -> Sequence[int]:
    """Return the place in characters of every offset into a text, its end included."""
    if unit == "characters":
        return range(len(text) + 1)
    return [*UNITS[unit](text), len(text)]


CHARACTERS = Convention()
UTF16 = Convention("UTF-16 units")
CONVENTIONS = [Convention(unit, inclusive) for inclusive in (False, True) for unit in UNITS]


def recognise_convention(path: str, texts: Sequence[MarkedText], usual: Convention) -> tuple[Convention, list[str]]:
    """Return how the offsets of a file are counted: as is usual, unless there is evidence of another way; and notes.

    Raises:
        DataError: they seem to be counted otherwise than in characters, and it cannot be determined how.
    """
    if any(mark.surface is not None for each in texts for mark in each.marks):
        return _by_surfaces(texts, usual), []
    return _by_words(path, texts, usual)


def agrees(text: str, place: Place | None, surface: str) -> bool:
    """Tell whether a place holds the text of a span, apart from white space."""
    return place is not None and text[place[0] : place[1]].split() == surface.split()


def _by_surfaces(texts: Sequence[MarkedText], usual: Convention) -> Convention:
    agreeing = dict.fromkeys(CONVENTIONS, 0)
    total = 0
    for each in texts:
        surfaces = [(mark, mark.surface) for mark in each.marks if mark.surface is not None]
        total += len(surfaces)
        for convention in agreeing:
            places = [(convention.place(each.text, mark), surface) for mark, surface in surfaces]
            agreeing[convention] += sum(agrees(each.text, place, surface) for place, surface in places)
        if total >= MAX_SPANS:
            break
    best = max(agreeing, key=agreeing.__getitem__)
    is_clear = agreeing[best] > agreeing[usual] and agreeing[best] >= LEAST_SHARE * total
    return best if is_clear else usual


@dataclass
class _Fit:
    """How many spans a convention places otherwise than is usual, and how many of these fit in each way."""

    spans: int = 0
    usual: int = 0
    other: int = 0
    usual_alone: int = 0

    def add(self, *, usual: bool, other: bool) -> None:
        self.spans += 1
        self.usual += usual
        self.other += other
        self.usual_alone += usual and not other

    @property
    def is_clear(self) -> bool:
        fits = self.other >= LEAST_SHARE_AT_WORDS * self.spans and self.usual <= MOST_SHARE_OTHERWISE * self.spans
        return fits and self.spans >= FEWEST_SPANS and self.usual_alone <= MOST_SHARE_AGAINST * self.spans

    @property
    def is_in_doubt(self) -> bool:
        return self.spans >= FEWEST_SPANS and self.other - self.usual > LEAST_ADVANTAGE * self.spans


def _by_words(path: str, texts: Sequence[MarkedText], usual: Convention) -> tuple[Convention, list[str]]:
    fits = {convention: _Fit() for convention in CONVENTIONS if convention != usual}
    for each in texts:
        units = _other_units(each.text, usual.unit) if each.marks else ()
        others = [way for way, fit in fits.items() if way.unit in units and fit.spans < MAX_SPANS]
        if not others:
            continue
        fitting = partial(_fits, each.text, _boundaries(each.text))
        for mark in each.marks:
            here = usual.place(each.text, mark)
            for convention in others:
                if here != (there := convention.place(each.text, mark)):
                    fits[convention].add(usual=fitting(here), other=fitting(there))
    clear = [convention for convention, fit in fits.items() if fit.is_clear]
    if clear:
        return max(clear, key=lambda convention: fits[convention].other - fits[convention].usual), []
    for convention, fit in fits.items():
        if fit.is_in_doubt:
            raise DataError.at(
                path,
                f"in what are its offsets counted? of {count(fit.spans, 'span')}, {fit.other} begin and end at words "
                f"as {convention}, and {fit.usual} as {usual}; add the text of every span, "
                '{"start": …, "end": …, "label": …, "text": …}, or correct the offsets',
            )
    emoji = fits.get(UTF16, _Fit())
    if not emoji.spans or emoji.usual != emoji.other:
        return usual, []
    spans = count(emoji.spans, "span stands", "spans stand")
    note = (
        f"{path}: {spans} after characters such as emoji, and nothing tells whether each of these counts as one or two"
    )
    return usual, [f"{note}; read as one"]


def _other_units(text: str, usual: str) -> Collection[str]:
    """Return the units in which offsets into a text may mean other places than in the usual one, and this itself."""
    if text.isascii() and "\r" not in text:
        return (usual,)
    differs = {unit for unit, pattern in DIFFERS.items() if pattern.search(text)}
    return {unit for unit in UNITS if unit == usual or unit in differs or usual in differs}


def _boundaries(text: str) -> tuple[set[int], set[int]]:
    spans = word_spans(text)
    return {start for start, _ in spans}, {end for _, end in spans}


def _fits(text: str, boundaries: tuple[set[int], set[int]], place: Place | None) -> bool:
    return place is not None and place[0] in boundaries[0] and place[1] in boundaries[1]
