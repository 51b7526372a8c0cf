"""Marks: spans as a file writes them, with offsets in whatever unit, before they are known to be characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from homeground.data.evidence.exports import END_KEYS, START_KEYS, name_a_span
from homeground.data.tables import shown
from homeground.errors import HomegroundError

OFFSETS_KEYS = ("offsets", "offset", "span", "position", "points")
LABEL_KEYS = ("label", "labels", "type", "entity_type", "entity_group", "tag", "entity", "category", "class")
SURFACE_KEYS = ("text", "surface", "word", "mention", "entity_text", "span_text", "value")
LIST_KEYS = ("entities", "spans", "annotations", "labels", "ents")
"""Keys of an object that holds the list of spans, as in ``{"entities": [[0, 4, "PER"]]}``."""

EXPECTED = 'expected [start, end, "LABEL"] or {"start": …, "end": …, "label": "LABEL"}'

Fields = Mapping[str, object]


class MarkProblem(HomegroundError):
    """What is no span; the caller adds the place."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A span as it is written: offsets in the unit of the file, and the text of the span where the file has it."""

    start: int
    end: int
    label: str
    surface: str | None = None

    def __str__(self) -> str:
        """Return the mark as an error shows it."""
        return f"[{self.start}, {self.end}, {shown(self.label)}]"


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text with its marks; ``place`` is where it stands, as errors name it."""

    row: int
    text: str
    marks: Sequence[Mark]
    place: str


def are_marks(value: object) -> bool | None:
    """Tell whether a value is a list of spans, or an object of them by label, as CLUENER writes it; None if empty."""
    try:
        return True if next(read_marks(value), None) is not None else None
    except MarkProblem:
        return _is_like_marks(value)


def _is_like_marks(value: object) -> bool:
    """Tell whether a value that holds what is no span is a list of spans all the same."""
    return any(
        (len(items := _items(each)) == 3 and len(_numbers(items)) == 2)
        or (isinstance(each, dict) and name_a_span(cast(Fields, each)))
        for each in _items(value)
    )


def _items(value: object) -> Sequence[object]:
    """Return the items of a list, or of a tuple as Python has it; of anything else none."""
    return cast(Sequence[object], value) if isinstance(value, list | tuple) else ()


def _numbers(items: Iterable[object]) -> list[int]:
    return [item for item in items if isinstance(item, int) and not isinstance(item, bool)]


def read_marks(value: object) -> Iterator[Mark]:
    """Yield the spans that a value of JSON holds, in any of the shapes in which programs write them.

    Raises:
        MarkProblem: a part of it is no span.
    """
    if isinstance(value, dict):
        yield from _marks_of_object(cast(Fields, value))
    elif isinstance(value, list | tuple):
        for item in _items(value):
            yield from _marks_of_item(item)
    else:
        raise MarkProblem(f"holds {shown(value)}; expected a list of spans, [] where a text has none")


def _marks_of_object(value: Fields) -> Iterator[Mark]:
    for key in LIST_KEYS:
        if isinstance(value.get(key), list | tuple):
            yield from read_marks(value[key])
            return
    lists = [_items(each) for each in value.values() if isinstance(each, list | tuple)]
    if name_a_span(value) and lists and len(lists) == len(value):
        if len({len(each) for each in lists}) > 1:
            raise MarkProblem(
                f"holds lists of unequal length, {shown(value)}; expected one item of each for every span"
            )
        for fields in zip(*lists, strict=True):
            yield from _marks_of_item(dict(zip(value, fields, strict=True)))
        return
    for label, spans in value.items():
        by_surface = cast(Fields, spans) if isinstance(spans, dict) else {None: spans}
        for surface, places in by_surface.items():
            if not isinstance(places, list | tuple) or not all(
                isinstance(each, list | tuple) for each in _items(places)
            ):
                expected = '{"LABEL": {"the text": [[start, end], …]}}'
                raise MarkProblem(f"holds {shown({label: spans})}; expected a list of spans, or {expected}")
            for each in _items(places):
                if len(ends := _items(each)) != 2 or len(_numbers(ends)) != 2:
                    raise MarkProblem(f'holds {shown(each)} under "{label}"; expected [start, end]')
                yield _mark(ends[0], ends[1], label, surface)


def _marks_of_item(item: object) -> Iterator[Mark]:
    if isinstance(item, list | tuple):
        values = _items(item)
        if len(values) == 3 and isinstance(values[0], str):
            values = [*values[1:], values[0]]
        if len(values) != 3:
            raise MarkProblem(f"holds {shown(item)}; {EXPECTED}")
        yield _mark(values[0], values[1], values[2], None)
        return
    if not isinstance(item, dict):
        raise MarkProblem(f"holds {shown(item)}; {EXPECTED}")
    fields = {key.lower(): value for key, value in cast(Fields, item).items()}
    start, end = _field(fields, START_KEYS), _field(fields, END_KEYS)
    offsets = _field(fields, OFFSETS_KEYS)
    inner = _items(offsets)
    if start is None and len(inner) == 1 and isinstance(inner[0], dict):
        rest = {key: value for key, value in fields.items() if key not in OFFSETS_KEYS}
        yield from _marks_of_item({**rest, **cast(Fields, inner[0])})  # as Dataturks writes "points"
        return
    if start is None and inner:
        pair = _items(inner[0]) if len(inner) == 1 else inner
        start, end = pair if len(pair) == 2 else (None, None)
    elif start is None and isinstance(offsets, int) and isinstance(length := fields.get("length"), int):
        start, end = offsets, offsets + length
    if start is None or end is None:
        raise MarkProblem(f"holds {shown(item)}; {EXPECTED}")
    label, surface = _field(fields, LABEL_KEYS), _field(fields, SURFACE_KEYS)
    if surface is None and fields.get("entity") != label:
        surface = fields.get("entity")  # as CMeEE calls the text, where "type" is the label
    yield _mark(start, end, label, surface if isinstance(surface, str) and surface else None)


def _field(fields: Fields, keys: Sequence[str]) -> object:
    return next((fields[key] for key in keys if fields.get(key) is not None), None)


def _mark(start: object, end: object, label: object, surface: str | None) -> Mark:
    if type(start) is int and type(end) is int and isinstance(label, str) and label.strip():
        return Mark(start, end, label.strip(), surface)
    written = f"[{shown(start)}, {shown(end)}, {shown(label)}]"
    ends: list[int] = []
    for value in (start, end):
        if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
            raise MarkProblem(f"holds the span {written}; expected whole numbers as start and end")
        ends.append(int(value))
    if isinstance(label, list | tuple):
        labels = _items(label)
        if len(labels) > 1:
            raise MarkProblem(f"holds a span with several labels, {written}; expected one label a span")
        label = labels[0] if labels else None
    if isinstance(label, int | float):
        raise MarkProblem(f"holds the span {written}, whose label is a number; write the name of the label instead")
    if not isinstance(label, str) or not label.strip():
        raise MarkProblem(f"holds the span {written} without a label; {EXPECTED}")
    return Mark(ends[0], ends[1], label.strip(), surface)
