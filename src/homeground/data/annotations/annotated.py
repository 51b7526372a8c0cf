"""A text with its marked spans, as every reader of annotations returns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """The characters ``[start, end)`` of a text, counted in Unicode code points from 0, and their label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """One sentence or text, and what is marked in it.

    ``spans`` are in order, not empty, and do not overlap. ``words`` are the places of the words where the file has
    words, each ``(start, end)`` in order; None where it has running text, which is cut into words later. ``document``
    names the document that a sentence is from, where the file says so.
    """

    row: int
    text: str
    spans: tuple[Span, ...]
    words: tuple[tuple[int, int], ...] | None = None
    document: str | None = None


@dataclass(frozen=True)
class Annotations:
    """All texts of a file. ``set_aside`` maps the reason why rows are no texts to their numbers.

    ``description`` says in a few words how the file was read, e.g. ``words and tags (BIO)``; ``notes`` are sentences
    for the user, e.g. on tag sequences that their scheme does not allow, with line numbers.
    """

    texts: Sequence[AnnotatedText]
    description: str
    set_aside: Mapping[str, list[int]] = field(default_factory=dict[str, list[int]])
    notes: tuple[str, ...] = ()
