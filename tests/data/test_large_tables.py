"""Texts on a shelf are the texts that were put there, in whatever order they are asked for."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeground import shelf as module
from homeground.data import streams
from homeground.data.examples import Example
from homeground.recipe.recipe import make_recipe
from homeground.shelf import Derived, GrowingArray, Shelf
from homeground.tasks.reading import read_table

TEXT = st.text(st.characters(), max_size=40)


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=30), data=st.data())
def test_texts_come_back_in_any_order(texts: list[list[str]], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BYTES_AT_ONCE", data.draw(st.sampled_from([16, 64, 1 << 18])))
        patch.setattr(module, "BYTES_OF_ONE", 8)
        shelf = Shelf()
        kept = [shelf.put(each) for each in texts[: len(texts) // 2]]
        assert [list(each) for each in kept] == texts[: len(texts) // 2]
        kept += [shelf.put(each) for each in texts[len(texts) // 2 :]]  # more is put after some were read
        for place in data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=20)):
            assert kept[place] == texts[place]
            assert kept[place][0] == texts[place][0]
            assert kept[place][-1] == texts[place][-1]
            assert len(kept[place]) == len(texts[place])


def test_an_example_on_a_shelf_is_the_same_example() -> None:
    plain, shelved = (Example(1, ("a b", "c d"), 0.5).put_on(shelf) for shelf in (None, Shelf()))
    assert plain == shelved
    assert (plain.digest, plain.digests, plain.ordered_digests) == (
        shelved.digest,
        shelved.digests,
        shelved.ordered_digests,
    )
    assert pickle.loads(pickle.dumps(shelved)) == plain


@given(parts=st.lists(st.lists(st.integers(-9, 9), max_size=5), max_size=8), limit=st.integers(1, 40))
def test_an_array_grows_in_memory_and_in_a_file_alike(parts: list[list[int]], limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BYTES_IN_MEMORY", limit)
        array, earlier = GrowingArray(np.dtype(np.int32)), []
        for part in parts:
            array.add(np.array(part, np.int32))
            earlier.append((array.array(), len(array)))
    values = [value for part in parts for value in part]
    for held, count in earlier:
        assert held.tolist() == values[:count]


def test_a_derived_sequence_makes_its_items_when_asked() -> None:
    squares = Derived(4, lambda place: place * place)
    assert (list(squares), squares[-1], squares[1:3], len(squares)) == ([0, 1, 4, 9], 9, [1, 4], 4)
    with pytest.raises(IndexError):
        squares[4]


def test_a_large_table_gives_the_same_examples_and_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pairs.csv"
    rows = [f"town number {n},river {n % 7} 你好,{n % 5 / 4}" for n in range(60)]
    path.write_text("\n".join(["text1,text2,score", *rows]), encoding="utf-8")

    def read() -> list[Example]:
        corpus = read_table(make_recipe(data=str(path))).corpus()
        return [example for part in corpus.parts for example in part.examples]

    plain = read()
    monkeypatch.setattr(streams, "MAX_BYTES_IN_MEMORY", 0)
    shelved = read()
    assert shelved == plain
    assert {type(each.texts) for each in shelved} != {type(each.texts) for each in plain}
