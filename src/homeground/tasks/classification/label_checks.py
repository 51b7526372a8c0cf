"""What looks wrong about labels: no labels at all, one label written in two ways, several written as one, none as one.

What cannot be learned is refused; what may be meant is noted, with the evidence and what to do.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from homeground.data.columns import LABELS_REPEAT, as_flag, quoted, recurring_columns, unread_columns
from homeground.data.examples import Example
from homeground.data.tables import Table, shown
from homeground.errors import DataError
from homeground.wording import count as counted

FEWEST_TO_JUDGE = 10
"""Values of a column from which it can be told whether they are labels."""

MAX_LABELS_LISTED = 5

WORDS_OF_FREE_TEXT = 8
"""Words of a label, on average, from which it is free text."""

MISSING = frozenset(
    ("nan", "NaN", "NAN", "NaT", "None", "NULL", "Null", "null", "NA", "N/A", "n/a", "<NA>", "#N/A", "-", "--", "?")
)
"""What pandas, R, SQL and spreadsheets write where a value is missing."""

MISSING_NUMBERS = frozenset((-1.0, -9.0, -99.0, -100.0, -999.0))
"""The same among the numbers of classes, where no other of them is negative."""

DELIMITERS = (";", "|", ",", "/", "+", "&", "\t", "\n", "、", "，", "；")

_MARKS = re.compile("|".join(map(re.escape, DELIMITERS)))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+|\d+,\d{1,2})")


def learning_problem(table: Table, columns: Mapping[str, str], labels: Sequence[tuple[str, ...]]) -> DataError | None:
    """Return why labels cannot be learned: there is nothing to tell apart, or hardly anything recurs; else None."""
    column = columns["label"]
    names = Counter(name for row in labels for name in row)
    values, distinct = sum(names.values()), len(names)
    if distinct < 2:
        held = f"holds {shown(next(iter(names)))} in every row" if names else "holds no label"
        return table.error(f"{held}; expected at least 2 different labels", column=column)
    if values >= FEWEST_TO_JUDGE and distinct > values / 2:
        better = recurring_columns(table, unread_columns(table, columns))
        hint = f'; did you mean "{better[0]}"?' if better else "; name the column of the labels with --label"
        hint = f"; {delimited}" if (delimited := _note_on_delimiter(list(names))) else hint
        problem = f"holds {distinct:,} different values in {values:,} rows, so it looks like free text or an id"
        return table.error(f"{problem}{hint}", column=column)
    return None


def notes_on_labels(
    counts: Mapping[str, Counter[str]], labels: Sequence[str], column: str, classes: Sequence[str] = ()
) -> list[str]:
    """Return what the user should know of the labels, a sentence each, from how often each occurs in each split.

    ``classes`` are the columns of 0 and 1 where each is a class.
    """
    # Where all examples are tested in turn, those of the test are those of train and validation over again.
    crossed = counts["test"] == counts["train"] + counts["validation"]
    every = counts["train"] + counts["validation"] + (Counter() if crossed else counts["test"])
    never = [name for name in classes if name not in labels]
    notes = [
        f"columns without a single 1 in train are not learned: {_listed(never)}" if never else "",
        *_notes_on_twins(every),
        _note_on_missing(every),
        "" if classes else _note_on_delimiter(list(every)),
        _note_on_numbers(every),
        _note_on_many(every, column),
        *_notes_on_rare(counts, labels, crossed=crossed),
    ]
    return [note for note in notes if note]


def note_on_missing_texts(examples: Iterable[Example]) -> list[str]:
    """Return a sentence where texts are nothing but a word for a missing value."""
    words = Counter(text.strip() for example in examples for text in example.texts if text.strip() in MISSING)
    if not words:
        return []
    return [
        f"texts that are nothing but what files write for a missing value: {_with_counts(words)}; they are learned as "
        "they are: empty the field if there is no text"
    ]


def _notes_on_twins(counts: Mapping[str, int]) -> list[str]:
    alike: dict[object, list[str]] = defaultdict(list)
    numbers: dict[float, list[str]] = defaultdict(list)
    for name in counts:
        if (number := _number(name)) is not None:
            numbers[number].append(name)
        else:
            alike[_plain(name)].append(name)
    notes: list[str] = []
    for twins, sentence in (
        (alike, "labels that differ only in case or spaces, or in - and _, are different labels here"),
        (numbers, "one number written in two ways is two labels here; write it in one way"),
    ):
        pairs = [" and ".join(f'"{name}"' for name in group) for group in twins.values() if len(group) > 1]
        if pairs:
            notes.append(f"{sentence}: {_some(pairs)}")
    return notes


def _plain(name: str) -> str:
    """Return what labels have in common that people write in several ways: case, width, spaces, - and _."""
    text = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    return re.sub(r"(?<=[^\W\d_])[-_]+(?=[^\W\d_])", "", text)


def _note_on_missing(counts: Mapping[str, int]) -> str:
    numbers = {name: number for name in counts if (number := _number(name)) is not None}
    words = len(counts) - len(numbers)
    lone = [name for name, number in numbers.items() if number in MISSING_NUMBERS]
    others = sum(number >= 0 for number in numbers.values())
    # -1, 0 and 1 are a scale; -1 beside 0, 1, 2 … or beside words is how many files write "no label".
    is_scale = len(numbers) - len(lone) != others or (not words and others < 3)
    names = [name for name in counts if name in MISSING] + ([] if is_scale else lone)
    if not names:
        return ""
    return (
        f"what files write for a missing value is a label like any other here: "
        f"{_with_counts({name: counts[name] for name in names})}; empty the field if it means that there is no label"
    )


def _note_on_delimiter(names: Sequence[str]) -> str:
    """Say where names are several written as one: most of the parts between marks are parts of other names too."""
    parts_of = {name: [part.strip() for part in _MARKS.split(name) if part.strip()] for name in names}
    uses = Counter(part for parts in parts_of.values() for part in set(parts))
    found: dict[str, list[str]] = {}
    for mark in DELIMITERS:
        split = [name for name in names if mark in name]
        parts = {part for name in split for part in parts_of[name]}
        if len(split) > 1 and sum(uses[part] > 1 for part in parts) > len(parts) / 2:
            found[mark] = split
    if not found:
        return ""
    most = max(found, key=lambda mark: len(found[mark]))
    parts = [part for name in found[most] for part in parts_of[name]]
    often = max(parts, key=lambda part: (uses[part], part))
    evidence = f"{len(set().union(*found.values()))} of {len(names)} labels hold {' or '.join(map(shown, found))}"
    if all(as_flag(part) is not None for part in parts):
        return f"{evidence} between 0 and 1; write one column of 0 and 1 for each class, named by --label a,b,c"
    one = "" if len(found) == 1 else ", once all are written with one mark"
    return (
        f"{evidence}, and what stands beside it recurs ({shown(often)} in {uses[often]}), so they may be several "
        f"labels written as one: --label-delimiter {shown(most)} takes them apart{one}"
    )


def _note_on_numbers(counts: Mapping[str, int]) -> str:
    numbers = [number for name in counts if (number := _number(name)) is not None]
    fractions = [number for number in numbers if number != int(number)]
    if not fractions or len(numbers) < len(counts):
        return ""
    return (
        f"the labels are numbers, such as {fractions[0]:g}: each of the {len(counts)} is a class of its own here, "
        "without an order; scores of pairs are read with --similarity"
    )


def _note_on_many(counts: Mapping[str, int], column: str) -> str:
    values, distinct = sum(counts.values()), len(counts)
    words = sum(len(name.split()) for name in counts)
    if words >= WORDS_OF_FREE_TEXT * distinct:
        evidence = f"the labels are texts of {words / distinct:.0f} words on average"
    elif values >= FEWEST_TO_JUDGE and distinct > values / LABELS_REPEAT:
        evidence = f"{distinct:,} labels in {values:,} examples are {values / distinct:.1f} examples a label"
    else:
        return ""
    return f'{evidence}; if "{column}" holds ids or free text, name another column with --label'


def _notes_on_rare(counts: Mapping[str, Counter[str]], labels: Sequence[str], *, crossed: bool) -> list[str]:
    notes: list[str] = []
    held = {name: counts["train"][name] + counts["validation"][name] for name in labels}
    lonely = [name for name, count in held.items() if count == 1 and (crossed or not counts["test"][name])]
    if lonely and crossed:
        notes.append(
            f"labels with a single example can be learned or tested, never both, so they count as wrong: "
            f"{_listed(lonely)}"
        )
    elif lonely:
        notes.append(f"labels with a single example stay in train, and nothing is measured of them: {_listed(lonely)}")
    for split in ("validation", "test"):
        unseen = {name: count for name, count in counts[split].items() if name not in labels}
        if unseen:
            notes.append(
                f"{counted(sum(unseen.values()), f'{split} example')} with a label that does not occur in train: "
                f"{_listed(unseen)}; "
                "no model can predict them, so they count as wrong"
            )
    return notes


def _number(name: str) -> float | None:
    return float(name.replace(",", ".")) if _NUMBER.fullmatch(name.strip()) else None


def _with_counts(counts: Mapping[str, int]) -> str:
    return _some([f'"{name}" ({number:,})' for name, number in counts.items()])


def _listed(names: Iterable[str]) -> str:
    return _some([quoted([name]) for name in names])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LABELS_LISTED]) + (
        f" and {len(names) - MAX_LABELS_LISTED} more" if len(names) > MAX_LABELS_LISTED else ""
    )
