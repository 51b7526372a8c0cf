"""BRAT: a folder of texts, each with its annotations in a file of the same name that ends in .ann."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from homeground.data.annotations.annotated import Annotations
from homeground.data.annotations.marks import Mark, MarkedText
from homeground.data.annotations.offsets import agrees
from homeground.data.annotations.spans import Marked, settle
from homeground.data.opening import OpenText, open_text, require_encoding, require_file
from homeground.data.tables import Row, Table
from homeground.errors import DataError
from homeground.wording import count, printable, shorten

TEXT, ANNOTATIONS, NAME, BYTE_ORDER_MARK = "text", "annotations", "name", "byte-order mark"
"""The columns of the table: the text, the lines of its .ann file and the name of this, and whether the text begins with
that mark."""

KINDS = {"R": "relations", "E": "events", "A": "attributes", "M": "attributes", "N": "links", "#": "notes", "*": "sets"}
"""What other lines than those of entities (T) hold."""

_ENTITY = re.compile(r"(T\S*)\t(\S+) ([0-9]+ [0-9]+(?:;[0-9]+ [0-9]+)*)(?:\t(.*))?")


def holds_annotations(path: str) -> bool:
    """Tell whether a folder holds .ann files."""
    return next(Path(path).rglob("*.ann"), None) is not None


def read_folder(path: str, encoding: str) -> Table:
    """Return the texts of a folder that have an .ann file beside them, in the order of their names.

    A path to one .ann or .txt file stands for the two files of this name.

    Raises:
        DataError: there are none, one of the two files is missing, or one is no text.
    """
    require_encoding(encoding)
    place = Path(path)
    found = sorted(place.rglob("*.ann")) if place.is_dir() else [place.with_suffix(".ann")]
    found = [each for each in found if not any(part.startswith(".") for part in each.relative_to(place.parent).parts)]
    if not found:
        raise DataError.at(path, "is a folder without .ann files; expected texts (.txt) with .ann files beside them")
    rows: list[Row] = []
    hashes: list[str] = []
    notes: dict[str, None] = {}
    names: list[str] = []
    size = 0
    for number, marked in enumerate(found, start=1):
        contents: list[str] = []
        mark = False
        for each in (marked.with_suffix(".txt"), marked):
            require_file(str(each))
            with open_text(str(each), encoding=encoding, markup=True) as opened:
                contents.append(opened.text.read())
                mark = mark or (each.suffix == ".txt" and _has_mark(each, opened, contents[0]))
                hashes.append(opened.sha256)
                notes.update(dict.fromkeys(opened.notes))
                size += opened.size
        name = marked.relative_to(place if place.is_dir() else place.parent).as_posix()
        values = {TEXT: contents[0], ANNOTATIONS: contents[1], NAME: name, BYTE_ORDER_MARK: mark}
        rows.append(Row(number, values))
        names.append(Path(name).with_suffix(".txt").as_posix())
    if place.is_dir():
        alone = sorted({*place.rglob("*.txt")} - {each.with_suffix(".txt") for each in found})
        if alone:
            texts = count(len(alone), "text has", "texts have")
            notes[f'{path}: {texts} no .ann file and are not read, such as "{alone[0].relative_to(place)}"'] = None
    sha256 = hashlib.sha256("\n".join(map(" ".join, zip(names, hashes[::2], hashes[1::2], strict=True))).encode())
    columns = (TEXT, ANNOTATIONS, NAME, BYTE_ORDER_MARK)
    return Table(path, "brat", columns, rows, sha256.hexdigest(), size, notes=tuple(notes), names=tuple(names))


def _has_mark(path: Path, opened: OpenText, content: str) -> bool:
    """Tell whether a text begins with a byte-order mark, which is no part of its content."""
    return opened.size > len(content.encode()) and path.read_bytes()[:3] == b"\xef\xbb\xbf"


def read_brat(table: Table, columns: Mapping[str, str]) -> Annotations:
    """Return the texts of a folder of BRAT with their entities.

    An entity of several fragments is one where white space alone separates them, and is left out and counted otherwise.

    Raises:
        DataError: a line that is no annotation, an entity that does not fit its text, or two that overlap.
    """
    marked = Marked("texts of BRAT")
    others = Counter[str]()
    discontinuous: list[str] = []
    shift = _shift(table)
    for row in table.rows:
        content, name = str(row.values[TEXT]), str(row.values[NAME])
        marks: list[Mark] = []
        place = f"{table.part(row.number)[0]}, {name}"
        for number, line in enumerate(_lines(row), start=1):
            if not line.strip():
                continue
            if line[0] != "T":
                others[KINDS.get(line[0], "")] += 1
                if line[0] not in KINDS:
                    raise _line_error(place, number, line)
                continue
            match = _ENTITY.fullmatch(line)
            if match is None:
                raise _line_error(place, number, line)
            mark = _mark(content, match, shift if row.values[BYTE_ORDER_MARK] else 0)
            if mark is None:
                discontinuous.append(f"{name} line {number}")
            else:
                marks.append(mark)
        marked.texts.append(MarkedText(row.number, content, marks, place))
    if others:
        listed = ", ".join(f"{number} {kind}" for kind, number in others.items())
        marked.notes.append(f"{table.path}: not read, because they are no entities: {listed}")
    if discontinuous:
        listed = ", ".join(discontinuous[:5]) + (", …" if len(discontinuous) > 5 else "")
        entities = count(len(discontinuous), "entity has", "entities have")
        marked.notes.append(f"{table.path}: {entities} fragments with words between them and are left out ({listed})")
    return settle(table.path, marked)


def _mark(content: str, match: re.Match[str], shift: int) -> Mark | None:
    fragments = [tuple(map(int, each.split())) for each in match[3].split(";")]
    fragments = [(start - shift, end - shift) for start, end in fragments]
    for (_, end), (start, _) in pairwise(fragments):
        if content[end:start].strip():
            return None
    return Mark(fragments[0][0], fragments[-1][1], match[2], match[4] or None)


def _shift(table: Table) -> int:
    """Return 1 where most entities say that offsets count the byte-order mark of a text as a character, else 0."""
    agreeing = Counter[int]()
    for row in table.rows:
        content = str(row.values[TEXT])
        for line in _lines(row) if row.values[BYTE_ORDER_MARK] else ():
            if (match := _ENTITY.fullmatch(line)) and match[4]:
                for shift in (0, 1):
                    mark = _mark(content, match, shift)
                    agreeing[shift] += mark is not None and agrees(content, (mark.start, mark.end), match[4])
    return 1 if agreeing[1] > agreeing[0] else 0


def _lines(row: Row) -> list[str]:
    return [line.rstrip("\r") for line in str(row.values[ANNOTATIONS]).split("\n")]


def _line_error(place: str, number: int, line: str) -> DataError:
    shown = printable(shorten(line, 60))
    expected = 'expected an entity such as "T1<tab>PER 0 4<tab>Anna"'
    return DataError(f'{place}, line {number}: holds "{shown}", which is no annotation; {expected}')
