"""CoNLL columns: a word a line with its tags, and a blank line after each sentence."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from homeground.data.annotations.schemes import are_tags
from homeground.data.evidence.lines import LEAST_SHARE_TAGGED, LINES_READ, are_tagged, likely_format
from homeground.data.formats import FieldLayout, Parsed
from homeground.errors import DataError
from homeground.wording import count, printable, shorten

WORDS, TAGS, LINES, DOCUMENT = "words", "tags", "lines", "document"
"""The columns of the table: those of the file, of which the last holds the tags unless a header names it otherwise,
and for every sentence the lines of its words and the name of its document, None where the file names none."""

LEAST_SHARE_OF_TABS = 0.9
"""Share of the lines that hold a tab from which tabs separate the columns, and spaces otherwise."""

MOST_SHARE_OF_WORDS = 0.1
"""Share of the words that may look like tags, where the tags are in the first column and the words in the last one."""

WORD_NAMES = ("word", "words", "token", "tokens", "form", "text", "char")
"""What the first line calls the words, in lower case, where it is a header."""

TAG_NAMES = ("tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "bio", "iob", "entity")
"""The same for the tags."""

_DOCUMENT = re.compile(r"#\s*(?:newdoc(?:\s+id)?|id)\b\s*[=:]?\s*(\S*)", re.IGNORECASE)
_COMMENT = re.compile(r"#(\s|$|end document)|#[a-z_.]+\s*=", re.IGNORECASE)
_COLUMN_NAMES = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_BLANKS = re.compile("[ \t]+")
_NUMBER = re.compile(r"[0-9]+")
_NO_WORD = re.compile(r"[0-9]+[-.][0-9]+")


def parse_conll(path: str, stream: TextIO, layout: FieldLayout) -> Parsed:
    """Return the sentences of a file in columns, one a row; each column is a list with a text for every word.

    Columns are separated by tabs or by spaces. ``-DOCSTART-``, ``#begin document`` and the comments ``# newdoc`` and
    ``# id`` begin a document; other comments are not read and counted.
    """
    head = list(itertools.islice(stream, LINES_READ))
    if not layout.format_named:
        _refuse_other_lines(path, head)
    shape = _shape(path, head)
    reader = _SentenceLines(path, shape)
    parsed = Parsed((*shape.names, LINES, DOCUMENT), reader.rows(itertools.chain(head, stream)))
    reader.notes = parsed.notes
    return parsed


def _refuse_other_lines(path: str, head: Sequence[str]) -> None:
    """Refuse a file whose first lines are of another format, whatever its name says."""
    if are_tagged(head):
        return
    kind = likely_format(head)
    if kind is not None and kind[0] != "tsv":
        name, evidence = kind
        anyway = "if it is in columns all the same, add --format conll"
        raise DataError.at(path, f"{evidence}, so it looks like {name}: add --format {name}; {anyway}")
    if mark := next(
        (mark for mark in (",", ";", "|") if are_tagged([line.replace(mark, "\t") for line in head])), None
    ):
        raise DataError.at(
            path, f'separates its columns by "{mark}"; expected tabs or spaces: replace "{mark}" by a tab'
        )


@dataclass(frozen=True)
class _Shape:
    """How the columns of a file are written: with tabs or spaces, their names, and whether the first line has these.

    ``word`` is the place of the column with the words.
    """

    tabs: bool
    names: tuple[str, ...]
    has_header: bool
    has_ids: bool
    word: int

    def fields(self, line: str) -> list[str]:
        return _fields(line, self.tabs)


def _fields(line: str, tabs: bool) -> list[str]:
    line = line.rstrip("\r\n")
    return line.split("\t") if tabs else _BLANKS.split(line.strip(" \t"))


def _shape(path: str, head: Sequence[str]) -> _Shape:
    lines = [line for line in head if line.strip() and not _starts_document(line)]
    tabs = sum("\t" in line for line in lines) >= LEAST_SHARE_OF_TABS * sum(not _is_comment(line) for line in lines)
    rows = [_fields(line, tabs) for line in lines if not _is_comment(line) or (tabs and "\t" in line)]
    widths = Counter(map(len, rows))
    width = widths.most_common(1)[0][0] if rows else 0
    if not width:
        raise DataError.at(
            path, "holds no words; expected a word and its tag a line, and a blank line after a sentence"
        )
    header = rows[0] if rows and len(rows[0]) == width > 1 else []
    named = bool(header) and _has_one(TAG_NAMES, header[1:]) and _has_one(WORD_NAMES, header[:2])
    names = header if named else _global_columns(head, width)
    data = [row for row in rows[1 if named else 0 :] if len(row) == width]
    has_ids = width > 1 and bool(data) and all(_NUMBER.fullmatch(row[0]) or _NO_WORD.fullmatch(row[0]) for row in data)
    has_ids = has_ids and any(row[0] in ("0", "1") for row in data)
    first, last = (sum(are_tags([row[place]]) for row in data) for place in (0, -1))
    tags_first = width > 1 and first >= LEAST_SHARE_TAGGED * len(data) and last <= MOST_SHARE_OF_WORDS * len(data)
    word = 1 if has_ids else width - 1 if tags_first else 0
    columns = [name or f"column {place}" for place, name in enumerate(names or [""] * width, start=1)]
    if not names and width > 1:
        columns[0 if tags_first else -1] = TAGS
    columns[word] = WORDS
    for place, name in enumerate(columns):
        if name in (*columns[:place], LINES, DOCUMENT):
            columns[place] = f"column {place + 1}"
    return _Shape(tabs, tuple(columns), named, has_ids, word)


def _has_one(names: Sequence[str], fields: Sequence[str]) -> bool:
    return any(field.lower() in names for field in fields)


def _global_columns(head: Sequence[str], width: int) -> list[str]:
    """Return the names of the columns that a comment gives, as CoNLL-U Plus has it, or none."""
    for line in head:
        if (match := _COLUMN_NAMES.match(line)) and len(names := match[1].split()) == width:
            return names
    return []


def _starts_document(line: str) -> bool:
    return line.startswith(("-DOCSTART-", "#begin document"))


def _is_comment(line: str) -> bool:
    return _COMMENT.match(line) is not None


class _SentenceLines:
    """Goes through the lines of a file once, and counts what is not read."""

    def __init__(self, path: str, shape: _Shape) -> None:
        self._path, self._shape = path, shape
        self._comments = self._ranges = self._documents = 0
        self._document: str | None = None
        self.notes: list[str] = []

    def rows(self, lines: Iterator[str]) -> Iterator[dict[str, object]]:
        sentence: list[list[str]] = []
        numbers: list[int] = []
        skip_header = self._shape.has_header
        for number, line in enumerate(lines, start=1):
            is_blank = line.isspace()
            if is_blank or _starts_document(line):
                if sentence:
                    yield self._row(sentence, numbers)
                sentence, numbers = [], []
                if not is_blank:
                    self._begin_document("")
                continue
            fields = self._shape.fields(line)
            if line[0] == "#" and _is_comment(line) and not self._is_word(fields):
                if not sentence and (match := _DOCUMENT.match(line)):
                    self._begin_document(match[1])
                else:
                    self._comments += 1
                continue
            if skip_header:
                skip_header = False
                continue
            if self._shape.has_ids and _NO_WORD.fullmatch(fields[0]):
                self._ranges += 1
                continue
            self._check(fields, number)
            sentence.append(fields)
            numbers.append(number)
        if sentence:
            yield self._row(sentence, numbers)
        self._add_notes()

    def _begin_document(self, name: str) -> None:
        self._documents += 1
        self._document = name or f"document {self._documents}"

    def _is_word(self, fields: Sequence[str]) -> bool:
        """Tell whether a line that begins like a comment is a word such as # with its tags."""
        has_width = len(fields) == len(self._shape.names) and " " not in fields[self._shape.word]
        return has_width and (self._shape.tabs or are_tags(fields[-1:]))

    def _check(self, fields: Sequence[str], number: int) -> None:
        width, word = len(self._shape.names), self._shape.word
        if len(fields) == width and len(fields[word].split()) == 1:
            return
        separator = "a tab" if self._shape.tabs else "spaces"
        if len(fields) != width:
            shown = printable(shorten(" ".join(fields), 40))
            few = "; its tag is missing" if len(fields) < width else ""
            raise self._error(
                number,
                f'has {count(len(fields), "column")}, "{shown}", where the other lines have {width}, separated by '
                f"{separator}{few}; expected a word and its tags, and a blank line after each sentence",
            )
        if not fields[word]:
            raise self._error(number, "has no word in its first column; expected a word and its tags")
        if not fields[word].isspace():
            shown = printable(shorten(fields[word], 40))
            what = "a space" if " " in fields[word] else "white space other than a plain space (U+00A0?)"
            raise self._error(
                number, f'the word "{shown}" holds {what}; expected one word a line: split it, or join it by "_"'
            )

    def _row(self, sentence: list[list[str]], numbers: list[int]) -> dict[str, object]:
        columns = zip(self._shape.names, zip(*sentence, strict=True), strict=True)
        row: dict[str, object] = {name: list(values) for name, values in columns}
        return row | {LINES: numbers, DOCUMENT: self._document}

    def _add_notes(self) -> None:
        if self._comments:
            comments = count(self._comments, "comment line is", "comment lines are")
            self.notes.append(f"{self._path}: {comments} not read (they begin with #)")
        if self._ranges:
            lines = count(self._ranges, "line", "lines")
            self.notes.append(f"{self._path}: {lines} of ranges or empty nodes (ids such as 3-4 and 8.1) are not read")

    def _error(self, number: int, problem: str) -> DataError:
        return DataError(f"{self._path}, line {number}: {problem}")
