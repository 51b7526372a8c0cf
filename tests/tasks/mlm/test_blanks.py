"""What a report shows of masked words, chosen from what two models say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.checkpoints import VOCABULARY
from tests.evaluation_sets import NOTHING
from tests.masking import TableModel, documents

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.tables import Row, Table
from homeground.data.tokens.tokenized import TextTokens
from homeground.recipe.recipe import make_recipe
from homeground.tasks.mlm import blanks
from homeground.tasks.mlm.spec import MaskedLMSpec
from homeground.tasks.task import MeasuredModel, TokenizedExamples

IDS = {token: number for number, token in enumerate(VOCABULARY)}


def details(bert: Path, texts: list[str], before: TableModel, after: TableModel, **changes: Any) -> dict[str, Any]:
    """Return what the report shows of two models on some texts; ``changes`` are those of the task."""
    rows = [Row(number, {"text": text}) for number, text in enumerate(texts, 1)]
    table = Table("texts.csv", "csv", ("text",), rows, "0" * 64, 1)
    checkpoint = open_checkpoint(str(bert))
    tokenizer = load_tokenizer(checkpoint, max_length=64)
    spec = MaskedLMSpec.for_table(table, make_recipe({"data": "texts.csv"}))
    task = replace(spec.with_splits({}, checkpoint), **changes)
    examples = spec.read(table).examples
    test = TokenizedExamples(
        examples, task.tokenize(examples, TextTokens(tokenizer, padding_id(checkpoint, tokenizer)))
    )
    one, other = (
        MeasuredModel(NOTHING, model.predict, model.fill, NOTHING, NOTHING, NOTHING) for model in (before, after)
    )
    return task.report_details(test, None, one, other)


def test_the_blanks_are_those_that_changed_most_one_a_document_and_a_word(bert: Path) -> None:
    after = {IDS[word]: -1.0 for word in ("court", "judge", "bank", "loan")}
    after[IDS["nurse"]] = -9.0
    shown = details(bert, documents(60), TableModel({IDS["the"]: -0.5}), TableModel(after))["blanks"]
    assert 1 < len(shown) <= blanks.MAX_BLANKS
    words = [blank["word"].lower() for blank in shown]
    assert len({blank["row"] for blank in shown}) == len(set(words)) == len(shown)
    # Both what got better and what got worse, and first what moved most: by 4 nats here.
    assert {"court", "judge", "bank", "loan", "nurse"} & set(words[:5]) == set(words[:5])
    worse = [blank for blank in shown if blank["word"] == "nurse"]
    assert all(blank["before"]["probability"] > blank["after"]["probability"] for blank in worse)
    assert shown[0]["before"]["likeliest"] == [{"token": "the", "probability": pytest.approx(np.exp(-0.5), abs=1e-6)}]


def test_addresses_tables_and_code_are_no_sentences(bert: Path) -> None:
    addresses = [
        f"the court: https://bank.org/{number}/judge-of-law_{number}?loan={number}&bank" for number in range(40)
    ]
    assert details(bert, addresses, TableModel({}), TableModel({IDS["court"]: -1.0}))["blanks"] == []


def test_a_blank_and_what_stands_around_it_are_the_sentence_of_the_document(bert: Path) -> None:
    texts = documents(40)
    before = TableModel({})
    for blank in details(bert, texts, before, TableModel({IDS["court"]: -1.0}))["blanks"]:
        assert blank["left"] + blank["word"] + blank["right"] in texts[blank["row"] - 1]
        assert len(blank["word"]) >= 4
    alone = [batch for batch in before.batches if (batch["labels"] != -100).sum(1).max() == 1]
    masked = alone[0]["labels"] != -100
    assert set(alone[0]["input_ids"][masked].tolist()) == {IDS["[MASK]"]}


def test_the_same_seed_shows_the_same_and_another_others(bert: Path) -> None:
    texts = documents(300)
    sides = (TableModel({}), TableModel({IDS["bank"]: -1.0, IDS["judge"]: -2.0}))
    first = details(bert, texts, *sides)
    assert details(bert, texts, *sides) == first
    assert details(bert, texts, *sides, seed=1)["blanks"] != first["blanks"]


def test_words_of_several_tokens_are_no_blanks(bert: Path) -> None:
    text = "Zebras and the judge saw giraffes in my den today."
    assert [blank["word"] for blank in details(bert, [text], TableModel({}), TableModel({}))["blanks"]] == ["judge"]
    assert details(bert, ["The judge saw me."], TableModel({}), TableModel({}))["blanks"] == []


def test_words_are_ranked_by_how_much_their_mean_loss_changed(bert: Path) -> None:
    before = TableModel({IDS["nurse"]: -1.0})
    after = TableModel({IDS["court"]: -1.0, IDS["bank"]: -3.0, IDS["nurse"]: -2.0})
    words = details(bert, documents(120), before, after)["improved_words"]
    assert [each["word"] for each in words["improved"]] == ["court", "bank"]
    assert words["improved"][0] | {"count": 0} == {"word": "court", "count": 0, "before": 5.0, "after": 1.0}
    assert [(each["word"], each["before"], each["after"]) for each in words["worse"]] == [("nurse", 1.0, 2.0)]
    assert min(each["count"] for each in (*words["improved"], *words["worse"])) >= blanks.MIN_MASKED_TOKENS


def test_a_masked_token_counts_for_its_whole_word(bert: Path) -> None:
    texts = ["the zebra played " * 4] * 20
    words = details(bert, texts, TableModel({}), TableModel({IDS["##e"]: -1.0, IDS["##ed"]: -1.0}))["improved_words"]
    assert {each["word"] for each in words["improved"]} == {"zebra", "played"}


def test_words_seen_less_than_three_times_are_not_listed(bert: Path) -> None:
    assert details(bert, ["the judge"], TableModel({}), TableModel({}), draws=1)["improved_words"]["words"] == 0


def test_only_so_many_blocks_are_looked_at(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blanks, "MAX_BLOCKS", 7)
    before = TableModel({})
    words = details(bert, documents(50), before, TableModel({}), draws=2)["improved_words"]
    assert words["blocks"] == 7
    assert words["masked"] == sum(int((batch["labels"] != -100).sum()) for batch in before.batches[:2])
