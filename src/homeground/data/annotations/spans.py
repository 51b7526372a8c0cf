"""Marks become spans: offsets are converted, repaired where the text of a span shows how, and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from homeground.data.annotations.annotated import AnnotatedText, Annotations, Span
from homeground.data.annotations.marks import Mark, MarkedText, MarkProblem, read_marks
from homeground.data.annotations.offsets import CHARACTERS, CUT, UTF16, Convention, Place, agrees, recognise_convention
from homeground.data.tables import Table, shown, text
from homeground.errors import DataError
from homeground.wording import count

MAX_SHIFT = 3
"""Characters by which offsets may be wrong where the text of the span is given."""

ANSWERS_LEFT_OUT = {"reject": "rejected", "ignore": "ignored"}
"""Answers of Prodigy that say that a text is not annotated."""


@dataclass
class Marked:
    """The texts of a file with their marks, which texts are set aside, and what is odd about the file.

    ``usual`` is how the program that wrote the file counts offsets.
    """

    kind: str
    usual: Convention = CHARACTERS
    texts: list[MarkedText] = field(default_factory=list[MarkedText])
    set_aside: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    notes: list[str] = field(default_factory=list[str])

    def skip(self, reason: str, row: int) -> None:
        """Set a row aside."""
        self.set_aside.setdefault(reason, []).append(row)


def read_spans(table: Table, columns: Mapping[str, str]) -> Annotations:
    """Return the texts of a table with a column of texts and one of spans, in any of the shapes of `read_marks`.

    Raises:
        DataError: what is no span, a span beyond its text, or two that overlap.
    """
    marked = Marked("texts and spans")
    for row in table.rows:
        answer = row.values[columns["answer"]] if "answer" in columns else None
        if reason := ANSWERS_LEFT_OUT.get(str(answer)):
            marked.skip(reason, row.number)
            continue
        value = row.values[columns["spans"]]
        if value is None and "answer" not in columns:
            marked.skip("not annotated", row.number)
            continue
        content = text(table, row, columns["text"])
        try:
            marks = list(read_marks(value or []))
        except MarkProblem as problem:
            raise table.error(f"{problem}", row=row.number, column=columns["spans"]) from None
        path, number = table.part(row.number)
        marked.texts.append(MarkedText(row.number, content, marks, f"{path}, row {number}"))
    return settle(table.path, marked)


def settle(path: str, marked: Marked) -> Annotations:
    """Return the texts with their marks as spans in characters.

    Raises:
        DataError: a span cannot be placed, or overlaps another; the message shows it as the file has it.
    """
    convention, notes = recognise_convention(path, marked.texts, marked.usual)
    repairs = Counter[str]()
    texts: list[AnnotatedText] = []
    for each in marked.texts:
        if not each.text.strip():
            marked.skip("empty text", each.row)
            continue
        try:
            texts.append(AnnotatedText(each.row, each.text, _spans(each, convention, repairs)))
        except MarkProblem as problem:
            raise DataError(f"{each.place}: {problem}") from None
    details = marked.kind if convention == CHARACTERS else f"{marked.kind}; {convention}"
    return Annotations(texts, details, marked.set_aside, (*marked.notes, *notes, *_notes(path, repairs)))


def _spans(each: MarkedText, convention: Convention, repairs: Counter[str]) -> tuple[Span, ...]:
    spans: dict[Span, Mark] = {}
    for mark in each.marks:
        start, end = _place(each.text, mark, convention, repairs)
        inner = each.text[start:end]
        trimmed = (start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip()))
        if trimmed[0] >= trimmed[1]:
            raise MarkProblem(f"the span {mark} holds white space alone, {shown(inner)}")
        repairs["trimmed"] += trimmed != (start, end)
        span = Span(*trimmed, mark.label)
        repairs["twice"] += span in spans
        spans.setdefault(span, mark)
    ordered = sorted(spans, key=lambda span: (span.start, span.end, span.label))
    for first, second in pairwise(ordered):
        if second.start < first.end:
            raise MarkProblem(_overlap(each.text, first, second, spans))
    return tuple(ordered)


def _overlap(content: str, first: Span, second: Span, marks: Mapping[Span, Mark]) -> str:
    named = [f"{marks[each]} {shown(content[each.start : each.end])}" for each in (first, second)]
    if (first.start, first.end) == (second.start, second.end):
        return f"the spans {named[0]} and {named[1]} are one with two labels; expected one label a span"
    how = "one lies in the other" if second.end <= first.end or first.start == second.start else "they overlap"
    return f"the spans {named[0]} and {named[1]}: {how}; expected spans apart from each other, so take out one of them"


def _place(content: str, mark: Mark, convention: Convention, repairs: Counter[str]) -> Place:
    """Return the characters of a mark, as its own text has them where it has one that is near.

    Raises:
        MarkProblem: there are none.
    """
    place = convention.place(content, mark)
    if mark.surface is None:
        if place is None:
            raise MarkProblem(_problem(content, mark, convention))
        return place
    if agrees(content, place, mark.surface):
        assert place is not None
        return place
    start = max(convention.ends(content, mark)[0], 0) if mark.start <= len(content) or place else len(content)
    near = range(max(start - MAX_SHIFT, 0), start + MAX_SHIFT + 1)
    found = [at for at in near if content.startswith(mark.surface, at)]
    if len(found) == 1 and mark.surface.strip():
        repairs["moved"] += 1
        return found[0], found[0] + len(mark.surface)
    if place is None:
        raise MarkProblem(f"{_problem(content, mark, convention)}; its text is {shown(mark.surface)}")
    where = "is there more than once nearby" if found else "is not there nearby"
    raise MarkProblem(
        f"the span {mark} is {shown(content[place[0] : place[1]])} in the text, but its own text is "
        f"{shown(mark.surface)}, which {where}; correct its offsets"
    )


def _problem(content: str, mark: Mark, convention: Convention) -> str:
    if mark.end + convention.inclusive <= mark.start:
        return f"the span {mark} ends before it begins or is empty; expected start < end"
    if mark.start < 0:
        return f"the span {mark} begins before the text; expected offsets from 0"
    unit = convention.unit
    size = convention.size(content)
    if mark.end + convention.inclusive > size:
        other = next((each for each in _OTHER_UNITS if each.place(content, mark) is not None), None)
        hint = f"; as {other} it would fit" if other is not None and convention == CHARACTERS else ""
        return f"the span {mark} ends beyond the text, which has {count(size)} {unit}{hint}"
    assert CUT in convention.ends(content, mark)
    return f"the span {mark} begins or ends inside a character of the text, counted in {unit}"


_OTHER_UNITS = (UTF16, Convention("bytes of UTF-8"))


def _notes(path: str, repairs: Counter[str]) -> Iterable[str]:
    sentences = {
        "moved": f"had offsets that are wrong by up to {MAX_SHIFT} characters, and were found by their text",
        "trimmed": "began or ended with white space, which was taken off",
        "twice": "stood in the file twice, and count once",
    }
    for kind, sentence in sentences.items():
        if repairs[kind]:
            yield f"{path}: {count(repairs[kind], 'span')} {sentence}"
