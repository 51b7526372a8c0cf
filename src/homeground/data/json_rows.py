"""The content of a JSON file: objects as rows, in the shapes that programs write them, or an error with the place.

Read are an array of objects, objects one after the other (a line each, or over several), an object with one list of
objects in it, and tables as pandas writes them. The parser is Python's own in its strictest setting, and every object
is compared with the first: nothing is filled in, dropped, renamed, or turned into another type.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO, cast

from homeground.data.evidence.exports import example_of_spacy, exported_columns
from homeground.data.formats import FieldLayout, Parsed
from homeground.errors import DataError

MAX_KEYS_LISTED = 8

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_BLANK = re.compile(r"[^ \t\r\n]|\Z")
_WORD = re.compile(r"[A-Za-z_]\w*")
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


def parse_json(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a JSON file; values are as JSON has them.

    The text is in memory as a whole, the rows of an array are not: an array has no line that ends a row.
    """
    text = stream.read()
    at = _next_mark(text, 0)
    if text[at : at + 1] != "{":
        return parse_objects(path, _array_items(path, text))
    first, end = _decode(path, text, at, row=1, line=1)
    if _next_mark(text, end) < len(text):
        return parse_objects(path, _joined_items(path, text, line=1))
    items, note = _wrapped_items(path, cast(dict[str, object], first))
    return parse_objects(path, items, [f"{path}: {note}"])


def parse_jsonl(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the rows of a JSON Lines file, one object per line; blank lines are skipped.

    A file with this name that is one array, or whose objects go over several lines, is in memory as a whole.
    """
    return parse_objects(path, _line_items(path, stream))


def parse_objects(path: str, items: Iterable[object], notes: Iterable[str] = ()) -> Parsed:
    """Return the rows of objects, every one with the keys of the first."""
    objects = (_object(path, item, row) for row, item in enumerate(items, start=1))
    first = next(objects, None)
    exported = exported_columns(first or {})
    columns = exported or tuple(first or ())

    def values() -> Iterator[dict[str, object]]:
        for row, item in enumerate(itertools.chain([] if first is None else [first], objects), start=1):
            if exported:
                yield {name: item.get(name) for name in columns}
                continue
            for name in columns:
                if name not in item:
                    problem = "is missing; every object needs the keys of the first, with null for no value"
                    raise DataError.at(path, problem, row=row, column=name)
            if len(item) > len(columns):
                name = next(name for name in item if name not in columns)
                raise DataError.at(path, "is not in row 1; every object needs the same keys", row=row, column=name)
            # Built anew so that all rows share the key strings of the first.
            yield {name: item[name] for name in columns}

    return Parsed(columns, values(), notes=list(notes))


def _object(path: str, item: object, row: int) -> dict[str, object]:
    if isinstance(item, dict) and item:
        return cast(dict[str, object], item)
    if example := example_of_spacy(item):
        return dict(example)
    kinds: dict[type, str] = {dict: "an object without keys", list: "an array"}
    other = kinds.get(type(item), f"the value {json.dumps(item, ensure_ascii=False)[:60]}")
    expected = 'expected an object with a key per column, such as {"text": "…", "label": "…"}'
    lines = "; texts alone may stand in a .txt file, a text a line" if isinstance(item, str) else ""
    raise DataError.at(path, f"is {other}; {expected}{lines}", row=row)


def _wrapped_items(path: str, whole: Mapping[str, object]) -> tuple[Iterable[object], str]:
    """Return the rows in a file that is one object, and a sentence that says where in it they are.

    Raises:
        DataError: it holds one row, or several tables.
    """
    values = list(whole.values())
    keys = ", ".join(json.dumps(key, ensure_ascii=False) for key in list(whole)[:MAX_KEYS_LISTED])
    keys += ", …" if len(whole) > MAX_KEYS_LISTED else ""
    columns, data = whole.get("columns"), whole.get("data")
    if isinstance(columns, list) and isinstance(data, list) and set(whole) <= {"columns", "data", "index"}:
        names = [str(name) for name in cast(list[object], columns)]
        lines = [cast(list[object], each) for each in cast(list[object], data) if isinstance(each, list)]
        if len(lines) == len(cast(list[object], data)) and all(len(each) == len(names) for each in lines):
            return (dict(zip(names, each, strict=True)) for each in lines), 'rows are the lists under "data"'
    lists = {key: cast(list[object], value) for key, value in whole.items() if isinstance(value, list) and value}
    tables = [key for key, value in lists.items() if all(isinstance(x, dict) or example_of_spacy(x) for x in value)]
    if len(tables) == 1:
        others = ", ".join(json.dumps(key, ensure_ascii=False) for key in whole if key != tables[0])
        unread = f"; not read: {others}" if others else ""
        return lists[tables[0]], f"rows are the objects under {json.dumps(tables[0], ensure_ascii=False)}{unread}"
    if len(lists) == len(whole) and not tables and len(set(map(len, lists.values()))) == 1:
        rows = zip(*lists.values(), strict=True)
        return (dict(zip(lists, row, strict=True)) for row in rows), f"rows are made of the lists under {keys}"
    objects = [cast(dict[str, object], value) for value in values if isinstance(value, dict)]
    if len(objects) == len(values) and len({tuple(each) for each in objects}) == 1 and not _holds_lists(objects):
        inner = list(objects[0])
        if all(map(str.isdigit, inner)) and not all(map(str.isdigit, whole)):
            rows = ({name: each[number] for name, each in zip(whole, objects, strict=True)} for number in inner)
            return rows, f"rows are made of the columns {keys}, as pandas writes them"
        return objects, "rows are the objects under its keys, which are not read"
    if tables:
        raise DataError.at(path, f"holds several tables, under {keys}; save each in a file of its own")
    raise DataError.at(
        path,
        f"is one object with the keys {keys}; expected an array of objects, [{{…}}, …], or one object a line",
    )


def _holds_lists(objects: Iterable[Mapping[str, object]]) -> bool:
    return any(isinstance(value, list | dict) for each in objects for value in each.values())


def _joined_items(path: str, text: str, *, line: int) -> Iterator[object]:
    """Yield objects that are written one after the other, with blanks or line ends between; ``line`` is the first."""
    at = _next_mark(text, 0)
    for row in itertools.count(1):
        item, at = _decode(path, text, at, row=row, line=line)
        yield item
        at = _next_mark(text, at)
        if at == len(text):
            return
        if text[at] not in "{[":
            raise _broken(path, json.JSONDecodeError("more after the end of the object", text, at), row, line)


def _array_items(path: str, text: str, *, line: int = 1) -> Iterator[object]:
    """Yield the items of the array one by one, so that a broken one is reported by its row."""
    at = _next_mark(text, 0)
    if at == len(text):
        return
    if text[at] != "[":
        problem = f"begins with {json.dumps(text[at])}; expected an array of objects, [{{…}}, …], or one object a line"
        raise DataError.at(path, problem)
    at = _next_mark(text, at + 1)
    row = 1
    while row > 1 or text[at : at + 1] != "]":
        item, at = _decode(path, text, at, row=row, line=line)
        yield item
        at = _next_mark(text, at)
        if text[at : at + 1] != ",":
            break
        at = _next_mark(text, at + 1)
        row += 1
    if text[at : at + 1] != "]":
        raise _broken(path, json.JSONDecodeError('expected "," or "]"', text, at), row=row, line=line)
    at = _next_mark(text, at + 1)
    if at < len(text):
        raise _broken(path, json.JSONDecodeError("text after the end of the array", text, at), row=row, line=line)


def _line_items(path: str, stream: TextIO) -> Iterator[object]:
    row = 0
    for line, written in enumerate(stream, start=1):
        at = _next_mark(written, 0)
        if at == len(written):
            continue
        row += 1
        if row == 1 and (whole := _read_whole(written, at, stream)):
            yield from (_array_items if whole[at] == "[" else _joined_items)(path, whole, line=line)
            return
        item, at = _decode(path, written, at, row=row, line=line)
        at = _next_mark(written, at)
        if at < len(written):
            raise _broken(path, json.JSONDecodeError("more after the end of the object", written, at), row, line)
        yield item


def _read_whole(written: str, at: int, stream: TextIO) -> str | None:
    """Return the whole text where its first line is the beginning of one array, or of an object that goes on."""
    inner = written[_next_mark(written, at + 1) :][:1]
    is_array = written[at] == "[" and (inner in ("", "{", "\n", "\r") or not written.rstrip().endswith("]"))
    if not is_array and (written[at] != "{" or written.rstrip().endswith("}")):
        return None
    return written + stream.read()


def _next_mark(text: str, at: int) -> int:
    """Return the place of the first character from ``at`` on that is no blank in the sense of JSON."""
    match = _NOT_BLANK.search(text, at)
    return len(text) if match is None else match.start()


def _decode(path: str, text: str, at: int, *, row: int, line: int) -> tuple[object, int]:
    """Return the value that begins at ``at`` and the place where it ends; ``text`` begins on line ``line``."""
    try:
        item, end = _DECODER.raw_decode(text, at)
        if _SURROGATE_ESCAPE.search(text, at, end) and _LONE_SURROGATE.search(json.dumps(item, ensure_ascii=False)):
            raise ValueError("half of a surrogate pair, which is no character (an emoji cut in two?)")
    except json.JSONDecodeError as problem:
        raise _broken(path, problem, row, line) from None
    except RecursionError:
        raise DataError.at(path, "is nested too deeply to be read", row=row) from None
    except ValueError as problem:
        line += text.count("\n", 0, at)
        raise DataError.at(path, f"the object that begins on line {line} holds {problem}", row=row) from None
    return item, end


def _broken(path: str, problem: json.JSONDecodeError, row: int, line: int) -> DataError:
    place = f"line {line + problem.lineno - 1}, column {problem.colno}"
    return DataError.at(path, f"broken JSON at {place}: {_advice(problem.doc, problem.pos) or problem.msg}", row=row)


def _advice(text: str, at: int) -> str:
    """Return what is wrong at a place in a way that programs and people often write JSON, or nothing."""
    before, here = text[:at].rstrip()[-1:], text[at : at + 1]
    if here == "," and before == "}":
        return "a comma after the object; take the commas off the ends of the lines"
    if (here in ("]", "}") and before == ",") or (here == "," and text[at + 1 :].lstrip()[:1] in ("]", "}")):
        return 'a comma before the end; take out the last ","'
    if here == "'":
        return "text in single quotes, as Python prints it; JSON has double quotes, as json.dumps writes them"
    if here in ("“", "”", "„"):
        return "a typographic quote; JSON has straight ones"
    if (word := _WORD.match(text, at)) and (meant := _PYTHON_WORDS.get(word[0])):
        return f"{word[0]} is Python; JSON writes {meant}"
    if word and before in ("{", ","):
        return f'the key {word[0]} without quotes; write "{word[0]}"'
    if here == "#" or text.startswith("//", at):
        return "a comment, which JSON does not have"
    if here in ("\n", "\r", "\t"):
        return f"a line end or tab inside a text; write it as {json.dumps(here)[1:-1]}"
    return ""


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    item = dict(pairs)
    if len(item) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twin)} twice")
    return item


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name}, which is not JSON; write null or a number")


def _finite(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        shown = written if len(written) <= 60 else written[:60] + "…"
        raise ValueError(f"the number {shown}, which is too large to be read; write it as a text")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
