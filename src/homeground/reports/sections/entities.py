"""Entities: which kinds of errors there are, and texts with the entities that each model finds in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homeground.results.entities import ChangedText, Marks
from homeground.results.record import RunRecord
from homeground.wording import shorten

LONGEST_TEXT = 300
"""Characters of a text that are shown."""

LONGEST_TYPE = 24
MAX_TEXTS_SHOWN = 3
"""Texts of each list that are shown at first."""

MAX_HUES = 6
"""Colours of types; with more types they repeat, but each entity is labelled with its type."""

KINDS = (
    ("right", "right"),
    ("boundary", "right type, other ends"),
    ("type", "right ends, other type"),
    ("boundary_and_type", "other ends and type"),
    ("missed", "missed"),
    ("spurious", "found where there is none"),
)

Segment = tuple[str, str, int, bool]
"""A part of a text, the type of the entity that it is or nothing, the colour of the type, and whether it is right."""


def entity_errors(record: RunRecord) -> dict[str, Any] | None:
    """Return the number of errors of each kind and what is confused most, or None where the run has no entities."""
    entities = record.scores.entities
    if entities is None:
        return None
    before, after = entities.errors.before, entities.errors.after
    return {
        "rows": [(words, getattr(before, kind), getattr(after, kind)) for kind, words in KINDS],
        "confusions": [
            (_confused(each.gold, each.predicted, each.kind), each.before, each.after) for each in entities.confusions
        ],
    }


def entity_texts(record: RunRecord) -> dict[str, Any] | None:
    """Return texts with their entities as the data has them, before and after, or None where nothing changed."""
    entities = record.scores.entities
    if entities is None or not entities.texts:
        return None
    hues = {name: place % MAX_HUES for place, name in enumerate(record.scores.classes)}
    groups = (
        ("Fixed", [each for each in entities.texts if each.gain > 0]),
        ("Broken", [each for each in entities.texts if each.gain < 0]),
    )
    return {
        "shown": MAX_TEXTS_SHOWN,
        "lists": [(heading, [(each.row, _sides(each, hues)) for each in texts]) for heading, texts in groups if texts],
    }


def _sides(text: ChangedText, hues: dict[str, int]) -> list[tuple[str, list[Segment]]]:
    begin = _begin(text)
    return [
        (name, _segments(text, marks, begin, hues))
        for name, marks in (("In the data", text.gold), ("Before", text.before), ("After", text.after))
    ]


def _begin(text: ChangedText) -> int:
    """Return where the part of a text begins that is shown: of a long one the part in which something changed."""
    changed = set(text.before) ^ set(text.after)
    if len(text.text) <= LONGEST_TEXT or not changed:
        return 0
    around = max(min(changed)[0] - LONGEST_TEXT // 3, 0)
    # A space ends the word before; no entity that is shown is cut.
    begin = text.text.find(" ", around) + 1 if around else 0
    return begin if begin <= min(changed)[0] else around


def _segments(text: ChangedText, marks: Marks, begin: int, hues: dict[str, int]) -> list[Segment]:
    gold, end_shown = set(text.gold), begin + LONGEST_TEXT
    segments: list[Segment] = [("…", "", 0, True)] if begin else []
    place = begin
    for start, end, name in marks:
        if start < begin:
            continue
        if end > end_shown:
            break
        segments.append((text.text[place:start], "", 0, True))
        hue, right = hues.get(name, 0), (start, end, name) in gold
        segments.append((text.text[start:end], shorten(name, LONGEST_TYPE), hue, right))
        place = end
    rest = text.text[place : max(end_shown, place)]
    segments.append((rest + ("…" if len(text.text) > max(end_shown, place) else ""), "", 0, True))
    return [segment for segment in segments if segment[0]]


def _confused(gold: str | None, predicted: str | None, kind: str) -> Sequence[str]:
    """Return in words what is confused: the type in the data, and what was made of it."""
    given, found = (shorten(name or "", LONGEST_TYPE) for name in (gold, predicted))
    if kind == "missed":
        return given, "missed"
    if kind == "spurious":
        return "no entity", f"predicted as {found}"
    ends = " with other ends" if kind != "type" else ""
    return given, (f"predicted{ends}" if given == found else f"predicted as {found}{ends}")
