"""Texts with spans, written in the formats in which people have them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from homeground.data.annotations.annotated import Annotations
from homeground.data.annotations.columns import find_annotation_columns, read_annotations
from homeground.data.corpus import read_file
from homeground.recipe.recipe import make_recipe

Spans = Sequence[tuple[int, int, str]]
Texts = Sequence[tuple[str, Spans]]


def read(path: Path, **settings: Any) -> Annotations:
    """Return the annotations of a file, with the notes on its table before their own."""
    recipe = make_recipe({}, data=str(path), **settings)
    table = read_file(str(path), recipe)
    read = read_annotations(table, find_annotation_columns(table, recipe))
    return Annotations(read.texts, read.description, read.set_aside, (*table.notes, *read.notes))


def spans_of(annotations: Annotations) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Return texts and spans as the writers take them."""
    return [(each.text, [(span.start, span.end, span.label) for span in each.spans]) for each in annotations.texts]


def marked(annotations: Annotations) -> list[list[tuple[str, str]]]:
    """Return the spans of every text as their own text and label."""
    return [[(each.text[span.start : span.end], span.label) for span in each.spans] for each in annotations.texts]


def write_rows(path: Path, rows: Iterable[object]) -> Path:
    """Write rows as JSON Lines and return the path."""
    path.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    return path


def utf16(text: str, place: int) -> int:
    """Return a place in UTF-16 units."""
    return len(text[:place].encode("utf-16-le")) // 2


def utf8(text: str, place: int) -> int:
    """Return a place in bytes of UTF-8."""
    return len(text[:place].encode())


def write_lists(folder: Path, texts: Texts) -> Path:
    """Write ``[start, end, label]``, as doccano does."""
    return write_rows(
        folder / "lists.jsonl",
        ({"id": 7, "text": text, "label": [list(each) for each in spans]} for text, spans in texts),
    )


def write_objects(folder: Path, texts: Texts) -> Path:
    """Write objects with start_offset and end_offset, as doccano does where there are relations."""
    rows = (
        {
            "id": 7,
            "text": text,
            "entities": [{"id": 1, "label": label, "start_offset": a, "end_offset": b} for a, b, label in spans],
            "relations": [],
        }
        for text, spans in texts
    )
    return write_rows(folder / "objects.jsonl", rows)


def write_columns_of_lists(folder: Path, texts: Texts) -> Path:
    """Write an object of lists, as the datasets library does."""
    names = ("start", "end", "label")
    rows = ({"text": text, "spans": {n: [s[i] for s in spans] for i, n in enumerate(names)}} for text, spans in texts)
    return write_rows(folder / "columns.jsonl", rows)


def write_cluener(folder: Path, texts: Texts) -> Path:
    """Write an object of labels and texts, with inclusive ends."""
    rows: list[dict[str, Any]] = []
    for text, spans in texts:
        labels: dict[str, dict[str, list[list[int]]]] = {}
        for start, end, label in spans:
            labels.setdefault(label, {}).setdefault(text[start:end], []).append([start, end - 1])
        rows.append({"text": text, "label": labels})
    return write_rows(folder / "cluener.jsonl", rows)


def write_prodigy(folder: Path, texts: Texts) -> Path:
    """Write tasks of Prodigy, those without spans without the key."""
    rows: list[dict[str, Any]] = []
    for text, spans in texts:
        objects = [{"start": a, "end": b, "label": label, "token_start": 0, "token_end": 0} for a, b, label in spans]
        task = {"text": text, "_input_hash": 1, "_task_hash": 2, "tokens": [], "answer": "accept"}
        rows.append(task | ({"spans": objects} if spans else {}))
    return write_rows(folder / "prodigy.jsonl", rows)


def label_studio_task(number: int, text: str, spans: Spans, **annotation: Any) -> dict[str, Any]:
    """Return a task as Label Studio exports it, with offsets in UTF-16 units."""
    results = [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": utf16(text, a), "end": utf16(text, b), "text": text[a:b], "labels": [label]},
        }
        for a, b, label in spans
    ]
    made = {"id": 1, "was_cancelled": False, "ground_truth": False, "result": results} | annotation
    return {"id": number, "data": {"text": text, "source": "x"}, "annotations": [made], "predictions": []}


def write_label_studio(folder: Path, texts: Texts) -> Path:
    """Write an array of tasks."""
    tasks = [label_studio_task(number, text, spans) for number, (text, spans) in enumerate(texts, start=100)]
    (folder / "tasks.json").write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return folder / "tasks.json"


def write_brat(folder: Path, texts: Texts) -> Path:
    """Write a folder of texts with .ann files beside them."""
    (folder / "brat").mkdir(exist_ok=True)
    for number, (text, spans) in enumerate(texts):
        (folder / "brat" / f"{number:03}.txt").write_bytes(text.encode())
        lines = [
            f"T{n}\t{label} {a} {b}\t{text[a:b].replace(chr(10), ' ')}\n"
            for n, (a, b, label) in enumerate(spans, start=1)
        ]
        (folder / "brat" / f"{number:03}.ann").write_bytes("".join(lines).encode())
    return folder / "brat"


def write_pair(folder: Path, text: bytes, lines: list[str]) -> Path:
    """Write a folder of one text of BRAT with its annotations and return the path."""
    (folder / "b").mkdir(exist_ok=True)
    (folder / "b" / "x.txt").write_bytes(text)
    (folder / "b" / "x.ann").write_bytes("\r\n".join(lines).encode())
    return folder / "b"


WRITERS: dict[str, Callable[[Path, Texts], Path]] = {
    "lists": write_lists,
    "objects": write_objects,
    "objects of lists": write_columns_of_lists,
    "CLUENER": write_cluener,
    "Prodigy": write_prodigy,
    "Label Studio": write_label_studio,
    "BRAT": write_brat,
}
"""The formats with offsets."""

Sentences = Sequence[tuple[Sequence[str], Sequence[str]]]


def write_tokens(folder: Path, sentences: Sentences) -> Path:
    """Write lists of words and tags."""
    return write_rows(folder / "tokens.jsonl", ({"tokens": words, "ner_tags": tags} for words, tags in sentences))


def write_conll(folder: Path, sentences: Sentences) -> Path:
    """Write a word and its tag a line."""
    blocks = ("".join(f"{word}\t{tag}\n" for word, tag in zip(*each, strict=True)) for each in sentences)
    (folder / "words.conll").write_bytes("\n".join(blocks).encode())
    return folder / "words.conll"
