"""Words with tags become a text with spans: lists of a JSON file, the columns of a CoNLL file, or a word a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import regex

from homeground.data.annotations.annotated import AnnotatedText, Annotations, Span
from homeground.data.annotations.conll import DOCUMENT, LINES, TAGS, WORDS
from homeground.data.annotations.schemes import Scheme, TagProblem, Transition, recognise, transitions
from homeground.data.segmentation import UNSPACED
from homeground.data.tables import Row, Table, shown
from homeground.errors import DataError
from homeground.wording import count

LEAST_SHARE_OF_SINGLES = 0.9
"""Share of the words that are one character, from which words may be characters."""

LEAST_SHARE_OF_UNSPACED = 0.2
"""Share of the words that are a letter of a script whose texts are annotated by character."""

MAX_PLACES_LISTED = 5

_SINGLE = regex.compile(r"\X")
_UNSPACED = regex.compile(rf"(?V1)[[{UNSPACED}\p{{Hangul}}]&&\p{{L}}]\p{{M}}*")


def read_words(table: Table, columns: Mapping[str, str]) -> Annotations:
    """Return the sentences of a table whose columns ``words`` and ``tags`` hold lists, as texts with spans.

    The words are joined by a space, and by nothing where they are the characters of Chinese, Japanese, Korean or Thai.

    Raises:
        DataError: lists of unequal length, what is no text in them, or tags that no scheme allows.
    """
    reader = _TaggedRows(table, columns)
    evidence = _Evidence()
    for _, words, tags in reader.sentences():
        evidence.add(words, tags)
    scheme = reader.scheme(evidence.transitions)
    separator = "" if evidence.are_characters else " "
    texts: list[AnnotatedText] = []
    empty: list[int] = []
    for row, words, tags in reader.sentences():
        if not any(word.strip() for word in words):
            empty.append(row.number)
            continue
        texts.append(reader.text(row, words, tags, scheme, separator))
    what = "characters and tags" if evidence.are_characters else "words and tags"
    set_aside = {"no words": empty} if empty else {}
    return Annotations(texts, f"{what} ({scheme.name})", set_aside, reader.notes(scheme))


@dataclass(frozen=True)
class _SentenceRows:
    """The sentences of a table with a word a row, each with the numbers of its rows."""

    table: Table
    word: str
    tag: str
    sentence: str

    def __iter__(self) -> Iterator[Row]:
        words: list[object] = []
        tags: list[object] = []
        numbers: list[int] = []
        name: object = None
        for row in self.table.rows:
            value = row.values[self.sentence]
            # Spreadsheets often name a sentence at its first word only.
            if value not in (None, "", name) and words:
                yield self._row(words, tags, numbers)
                words, tags, numbers = [], [], []
            name = name if value in (None, "") else value
            words.append(row.values[self.word])
            tags.append(row.values[self.tag])
            numbers.append(row.number)
        if words:
            yield self._row(words, tags, numbers)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _row(self, words: list[object], tags: list[object], numbers: list[int]) -> Row:
        return Row(numbers[0], {self.word: words, self.tag: tags, LINES: numbers})


def sentences_of(table: Table, columns: Mapping[str, str]) -> tuple[Table, dict[str, str]]:
    """Return a table with a sentence a row, and its columns of words and tags.

    ``columns`` are those of word, tag and sentence; what changes in the last of these begins a sentence.
    """
    word, tag = columns["word"], columns["tag"]
    rows = _SentenceRows(table, word, tag, columns["sentence"])
    return replace(table, columns=(word, tag, LINES), rows=rows), {WORDS: word, TAGS: tag}


@dataclass
class _Evidence:
    """What the words and tags of a file are evidence of."""

    transitions: Counter[Transition] = field(default_factory=Counter[Transition])
    words: Counter[str] = field(default_factory=Counter[str])

    def add(self, words: Sequence[str], tags: Sequence[str]) -> None:
        self.transitions.update(transitions(tags))
        self.words.update(words)

    @property
    def are_characters(self) -> bool:
        singles = {word: number for word, number in self.words.items() if _SINGLE.fullmatch(word)}
        unspaced = sum(number for word, number in singles.items() if _UNSPACED.fullmatch(word))
        total = self.words.total()
        return (
            unspaced >= max(1, LEAST_SHARE_OF_UNSPACED * total)
            and sum(singles.values()) >= LEAST_SHARE_OF_SINGLES * total
        )


class _TaggedRows:
    """Reads the sentences of a table, and collects what is odd about them, with its places."""

    def __init__(self, table: Table, columns: Mapping[str, str]) -> None:
        self._table, self._words, self._tags = table, columns["words"], columns["tags"]
        self._illegal: list[str] = []
        self._illegal_count = self._blank = 0

    def sentences(self) -> Iterator[tuple[Row, list[str], list[str]]]:
        for row in self._table.rows:
            words, tags = self._list(row, self._words), self._list(row, self._tags)
            if len(words) != len(tags):
                problem = f'holds {count(len(tags), "tag")} for the {count(len(words), "word")} in "{self._words}"'
                advice = "; expected a tag for every word, O for none"
                raise self._table.error(problem + advice, row=row.number, column=self._tags)
            yield row, words, tags

    def _list(self, row: Row, column: str) -> list[str]:
        values = row.values[column]
        if not isinstance(values, list | tuple):
            advice = ', such as ["Ada", "Lovelace"]' if column == self._words else ', such as ["B-PER", "I-PER", "O"]'
            problem = f"holds {shown(values)}; expected a list{advice}"
            raise self._table.error(problem, row=row.number, column=column)
        items = cast(Sequence[object], values)
        texts = [value for value in items if isinstance(value, str)]
        if len(texts) < len(items):
            place = next(place for place, value in enumerate(items) if not isinstance(value, str))
            raise self._error(row, place, self._problem(column, items[place]))
        if column == self._words:
            return texts
        tags = [tag.strip() for tag in texts]
        if "" in tags:
            raise self._error(row, tags.index(""), "has no tag; expected a tag for every word, O for none")
        return tags

    def _problem(self, column: str, value: object) -> str:
        if type(value) is int and column == self._tags:
            return tag_numbers_problem(column, value)
        return f'column "{column}" holds {shown(value)}; expected a text'

    def scheme(self, counts: Counter[Transition]) -> Scheme:
        """Return the scheme of the tags; the error for a tag of no scheme names the first place that has it."""
        try:
            return recognise(counts)
        except TagProblem as problem:
            for row, _, tags in self.sentences():
                if problem.tag in tags:
                    raise self._error(row, tags.index(problem.tag), f"{problem}") from None
            raise

    def text(self, row: Row, words: list[str], tags: list[str], scheme: Scheme, separator: str) -> AnnotatedText:
        """Return the text of a sentence; a word of spaces alone is part of the text between words that are characters.

        Elsewhere such a word is left out, and counted.
        """
        for place in scheme.illegal(tags):
            self._note_illegal(row, place, tags)
        parts: list[str] = []
        places: list[tuple[int, int] | None] = []
        at = 0
        for word in words:
            stripped = word.strip()
            if not stripped and separator:
                self._blank += 1
                places.append(None)
                continue
            written = stripped if separator else word
            before = separator if parts else ""
            start = at + len(before) + (0 if separator else len(word) - len(word.lstrip()))
            places.append((start, start + len(stripped)) if stripped else None)
            parts += (before, written)
            at += len(before) + len(written)
        spans: list[Span] = []
        for first, last, label in scheme.entities(tags):
            marked = [place for place in places[first:last] if place is not None]
            if not marked:
                raise self._error(row, first, f'the tag "{tags[first]}" marks white space; expected O')
            spans.append(Span(marked[0][0], marked[-1][1], label))
        document = cast("str | None", row.values[DOCUMENT]) if DOCUMENT in self._table.columns else None
        if document is not None and self._table.parts:
            document = f"{self._table.part(row.number)[0]}: {document}"
        kept = tuple(place for place in places if place is not None)
        return AnnotatedText(row.number, "".join(parts), tuple(spans), kept, document)

    def _note_illegal(self, row: Row, place: int, tags: Sequence[str]) -> None:
        self._illegal_count += 1
        if len(self._illegal) < MAX_PLACES_LISTED:
            where = f'"{tags[min(place, len(tags) - 1)]}" '
            if place == len(tags):
                where += "at the end"
            else:
                where += f'after "{tags[place - 1]}"' if place else "at the beginning"
            path, line = self._place(row, min(place, len(tags) - 1))
            self._illegal.append(f"{f'{path}, ' if self._table.parts else ''}{line} ({where})")

    def notes(self, scheme: Scheme) -> tuple[str, ...]:
        """Return sentences on what is odd about the sentences."""
        notes: list[str] = []
        if self._illegal_count:
            more = ", …" if self._illegal_count > len(self._illegal) else ""
            sequences = count(self._illegal_count, "tag follows", "tags follow")
            notes.append(
                f"{self._table.path}: {sequences} another against the rules of {scheme.name}: "
                f"{', '.join(self._illegal)}{more}; what cannot go on begins a new entity, as conlleval reads it"
            )
        if self._blank:
            words = count(self._blank, "word of white space alone is", "words of white space alone are")
            notes.append(f"{self._table.path}: {words} left out")
        return tuple(notes)

    def _place(self, row: Row, place: int) -> tuple[str, str]:
        """Return the path of the file that a word is in, and the line or row there."""
        path, number = self._table.part(row.number)
        if LINES not in self._table.columns:
            return path, f"row {number}, word {place + 1}"
        line = cast(list[int], row.values[LINES])[place]
        if self._table.format == "conll":
            return path, f"line {line}"
        return path, f"row {line - row.number + number}"

    def _error(self, row: Row, place: int, problem: str) -> DataError:
        return DataError(f"{', '.join(self._place(row, place))}: {problem}")


def tag_numbers_problem(column: str, number: int) -> str:
    """Return what is wrong with tags that are numbers, and how to give their names."""
    return (
        f'column "{column}" holds numbers, such as {number}, and the file has no names for them; write the names, '
        'e.g. [names[number] for number in row["ner_tags"]] with names = ["O", "B-PER", "I-PER", …] in the order in '
        "which the data set documents them"
    )
