"""The JSON export of Label Studio: tasks with the annotations that people made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from homeground.data.annotations.annotated import Annotations
from homeground.data.annotations.marks import Fields, Mark, MarkedText, MarkProblem, read_marks
from homeground.data.annotations.offsets import UTF16
from homeground.data.annotations.spans import Marked, settle
from homeground.data.tables import Row, Table, shown
from homeground.errors import DataError
from homeground.wording import count


def is_label_studio(table: Table, column: str) -> bool:
    """Tell whether a column holds what annotators made of a task."""
    for row in table.rows:
        value = row.values[column]
        if isinstance(value, list) and value:
            first = cast(list[object], value)[0]
            return isinstance(first, dict) and "result" in first
    return False


def read_label_studio(table: Table, columns: Mapping[str, str]) -> Annotations:
    """Return the texts of the tasks with their spans.

    A cancelled annotation does not count. Of several annotations of a task the ground truth is read where one is marked
    so, else the first; where they differ this is noted.

    Raises:
        DataError: a task whose text cannot be determined, several labels on one span, or a span that does not fit.
    """
    marked = Marked("tasks of Label Studio", usual=UTF16)
    reader = _Tasks(table, columns)
    for row in table.rows:
        reader.read(row, marked)
    marked.notes += reader.notes()
    return settle(table.path, marked)


class _Tasks:
    """Reads tasks, and counts what of them is not read."""

    def __init__(self, table: Table, columns: Mapping[str, str]) -> None:
        self._table, self._data, self._results = table, columns["data"], columns["results"]
        self._several = self._other_results = 0

    def read(self, row: Row, marked: Marked) -> None:
        path, number = self._table.part(row.number)
        place = f"{path}, row {number}" + (f", task {row.values['id']}" if row.values.get("id") is not None else "")
        try:
            made = _objects(row.values[self._results], self._results)
            kept = [each for each in made if not each.get("was_cancelled") and not each.get("skipped")]
            if not kept:
                marked.skip("cancelled" if made else "not annotated", row.number)
                return
            results = [self._spans_of(each) for each in kept]
            chosen = next((place for place, each in enumerate(kept) if each.get("ground_truth")), 0)
            marks = [[mark for each in result for mark in _marks(each)] for result in results]
            content = self._text(row, results[chosen])
        except MarkProblem as problem:
            raise DataError(f"{place}: {problem}") from None
        if len({frozenset(each) for each in marks}) > 1:
            self._several += 1
        marked.texts.append(MarkedText(row.number, content, marks[chosen], place))

    def _spans_of(self, annotation: Fields) -> list[Fields]:
        """Return the results that mark spans of a text; choices, ratings and relations are counted."""
        results = _objects(annotation.get("result"), "result")
        spans = [each for each in results if _is_span(each)]
        self._other_results += len(results) - len(spans)
        return spans

    def _text(self, row: Row, results: Sequence[Fields]) -> str:
        data = row.values[self._data]
        fields = cast(Fields, data) if isinstance(data, dict) else {}
        texts = {key: value for key, value in fields.items() if isinstance(value, str)}
        named = {str(each.get("to_name")) for each in results}
        if len(named) > 1:
            listed = ", ".join(sorted(f'"{name}"' for name in named))
            raise MarkProblem(f"its spans are of several texts, {listed}; export one text a task")
        fitting = [key for key, content in texts.items() if results and _holds(content, results)]
        for keys in (
            [name for name in named if name in texts],
            list(texts),
            fitting,
            ["text"] if "text" in texts else [],
        ):
            if len(keys) == 1:
                return texts[keys[0]]
        if not texts:
            raise MarkProblem(f"holds no text in its data, {shown(data)}")
        listed = ", ".join(f'"{key}"' for key in texts)
        raise MarkProblem(f'which part of its data is the text, {listed}? rename it to "text"')

    def notes(self) -> list[str]:
        """Return sentences on what is not read."""
        notes: list[str] = []
        if self._several:
            tasks = count(self._several, "task")
            notes.append(
                f"{self._table.path}: several annotators marked {tasks} differently; the annotation marked as ground "
                "truth is read, else the first"
            )
        if self._other_results:
            results = count(self._other_results, "result is", "results are")
            notes.append(f"{self._table.path}: {results} no spans of a text and not read (choices, relations)")
        return notes


def _objects(value: object, name: str) -> list[Fields]:
    """Return a list of objects, empty for null.

    Raises:
        MarkProblem: it is none.
    """
    items = cast(list[object], value) if isinstance(value, list) else []
    if (value is not None and not isinstance(value, list)) or not all(isinstance(each, dict) for each in items):
        raise MarkProblem(
            f'holds {shown(value)} as its "{name}"; expected a list of objects, as Label Studio exports it'
        )
    return cast(list[Fields], items)


def _is_span(result: Fields) -> bool:
    value = result.get("value")
    return isinstance(value, dict) and "start" in value and "end" in value and _labels(cast(Fields, value)) is not None


def _labels(value: Fields) -> object:
    return value.get("labels", value.get("hypertextlabels"))


def _marks(result: Fields) -> list[Mark]:
    value = cast(Fields, result["value"])
    offsets = value.get("globalOffsets")
    ends = cast(Fields, offsets) if isinstance(offsets, dict) else value
    surface = value.get("text")
    item = {"start": ends.get("start"), "end": ends.get("end"), "labels": _labels(value), "text": surface}
    return list(read_marks([item]))


def _holds(content: str, results: Sequence[Fields]) -> bool:
    surfaces = [cast(Fields, each["value"]).get("text") for each in results]
    return all(isinstance(surface, str) and surface in content for surface in surfaces)
