"""A taxonomy of ten times as many concepts takes ten times the work: operations are counted, no time is measured."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import pytest

from homeground.taxonomy import pairs
from homeground.workflows.pairs import make_pairs

Line = tuple[str, str, str, str, str]
"""A concept as a line of the table: its id, the id of its parent, title, other names and description."""

BRANCHES = 6
SMALL, LARGE = 300, 3000


def tree(concepts: int) -> Iterator[Line]:
    for number in range(concepts):
        parent = "" if number < BRANCHES else str((number - BRANCHES) // 4)
        yield str(number), parent, f"title {number}", f"name {number}|other {number // 3}", f"This is {number}."


def wide(concepts: int) -> Iterator[Line]:
    """Concepts of which each branch has all of its own side by side."""
    for number in range(concepts):
        parent = "" if number < 3 * BRANCHES else str(number % (3 * BRANCHES))
        yield str(number), parent, f"title {number}", f"name {number}", ""


def namesakes(concepts: int) -> Iterator[Line]:
    """Concepts that all have one name in common, and share another with some far away."""
    for number, parent, title, _, description in tree(concepts):
        yield number, parent, title, f"name|name {int(number) % (concepts // 10)}", description


def operations(lines: Sequence[Line], folder: Path) -> int:
    """Return how many functions, of Python or of C, were called to make the pairs of a taxonomy."""
    folder.mkdir()
    with (folder / "taxonomy.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "parent", "preferredLabel", "altLabels", "description"), *lines])
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        make_pairs(folder / "taxonomy.csv", out=folder / "pairs")
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("shape", [tree, wide, namesakes])
def test_ten_times_the_concepts_take_ten_times_the_operations(
    tmp_path: Path, shape: Callable[[int], Iterator[Line]]
) -> None:
    operations(list(shape(SMALL)), tmp_path / "warm")  # what is imported and computed once
    small = operations(list(shape(SMALL)), tmp_path / "small")
    large = operations(list(shape(LARGE)), tmp_path / "large")
    # A larger tree is also a little deeper; what grows with the square would take a hundred times as many.
    assert large < 1.5 * LARGE / SMALL * small


def test_pairs_are_written_a_few_at_a_time_as_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(tree(SMALL))
    operations(lines, tmp_path / "once")
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 7)
    operations(lines, tmp_path / "parts")
    for name in ("train.csv", "validation.csv", "test.csv", "pairs.json"):
        assert (tmp_path / "parts/pairs" / name).read_bytes() == (tmp_path / "once/pairs" / name).read_bytes()
    # The very same files are left as they are; a file that goes on is another one.
    make_pairs(tmp_path / "parts/taxonomy.csv", out=tmp_path / "parts/pairs")
    with (tmp_path / "parts/pairs/test.csv").open("a") as file:
        file.write("more\n")
    with pytest.raises(Exception, match="holds something else"):
        make_pairs(tmp_path / "parts/taxonomy.csv", out=tmp_path / "parts/pairs")
