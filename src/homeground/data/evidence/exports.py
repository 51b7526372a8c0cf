"""Whether the objects of a JSON file are the export of an annotation tool, which need not have the same keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

RESULT_KEYS = ("annotations", "completions")
"""Under which of its keys a task of Label Studio has its annotations; the second is of old versions."""


START_KEYS = (
    *("start", "start_offset", "startoffset", "start_char", "char_start", "start_index", "start_idx", "begin_offset"),
    *("begin", "from"),
)
END_KEYS = ("end", "end_offset", "endoffset", "end_char", "char_end", "end_index", "end_idx", "stop", "to")
"""What programs call the ends of a span, in lower case."""


def name_a_span(names: Iterable[str]) -> bool:
    """Return whether names of fields are those of a span, which has a start and an end."""
    lower = {name.lower() for name in names}
    return not lower.isdisjoint(START_KEYS) and not lower.isdisjoint(END_KEYS)


def exported_columns(first: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns of an export, of its first object; empty where it is of no tool known here.

    Objects of an export may lack a column, which then holds None, and have further keys, which are not read.
    """
    if isinstance(first.get("data"), dict) and any(isinstance(first.get(key), list) for key in RESULT_KEYS):
        results = next(key for key in RESULT_KEYS if isinstance(first.get(key), list))
        return ("id", "data", results)
    if "_task_hash" in first or "_input_hash" in first:  # Prodigy
        return tuple(dict.fromkeys((*first, "spans", "answer")))
    if "annotation_id" in first and "annotator" in first:  # Label Studio, JSON-MIN
        return tuple(first)
    return ()


def example_of_spacy(item: object) -> Mapping[str, object] | None:
    """Return an example of spaCy's former training data, ``["the text", {"entities": […]}]``, as an object, or None."""
    if isinstance(item, list) and len(pair := cast(list[object], item)) == 2:
        text, annotations = pair
        if isinstance(text, str) and isinstance(annotations, dict) and "entities" in annotations:
            return {"text": text, "entities": cast(Mapping[str, object], annotations)["entities"]}
    return None
