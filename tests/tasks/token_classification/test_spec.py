"""How tables of annotated texts become a task: its tags, its notes, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.tagging import tagged_texts, write_tagged

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.corpus import read_file
from homeground.data.tokens.tokenized import TextTokens
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.experiment.setup import prepare
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task
from homeground.tasks.token_classification.spec import TokenClassificationSpec


def spec_of(path: Path, **settings: Any) -> tuple[TokenClassificationSpec, Any]:
    recipe = make_recipe({}, data=str(path), **settings)
    table = read_file(str(path), recipe)
    spec = choose_task(table, recipe)
    assert isinstance(spec, TokenClassificationSpec)
    return spec, spec.read(table).examples


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_tagged(tmp_path / "texts.jsonl", tagged_texts(40))


def test_each_type_of_training_has_a_tag_to_begin_and_one_to_go_on(path: Path) -> None:
    spec, examples = spec_of(path)
    rare = [example for example in examples if "B-JOB" not in example.tags]
    task = spec.with_splits({"train": rare, "validation": [], "test": examples}, None)
    assert task.labels == ("O", "B-PLACE", "I-PLACE") and task.unseen == ("B-JOB", "I-JOB")
    assert any('no entity of the types "JOB"' in note for note in task.info.notes)
    assert "(1 type)" in task.info.description


def test_every_word_weighs_as_much_however_many_tokens_it_has(path: Path, tmp_path: Path) -> None:
    spec, examples = spec_of(path)
    task = spec.with_splits({"train": examples}, None)
    tokenizer = load_tokenizer(open_checkpoint(str(checkpoints.bert(tmp_path / "bert"))), max_length=12)
    rows = task.tokenize(examples, TextTokens(tokenizer, 0))
    items = np.arange(len(rows.lengths("training")))
    batch, denominator = task.collate(rows, items, "training")
    words = sum(len(example.words) for example in examples)
    # The tokens of a word that are beyond its window are not learned.
    assert words * 0.9 < denominator <= words + 1e-3
    assert denominator == pytest.approx(float(batch["token_weights"].sum()), rel=1e-6)
    assert int((batch["deciding_tokens"] > 0).sum()) == words
    inside = (batch["labels"] >= 0) & (batch["deciding_tokens"] == 0)
    assert set(np.array(task.labels)[batch["labels"][inside]]) <= {"O", "I-JOB", "I-PLACE"}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"loss": "cosent"}, "--loss cosent is not for entities"), ({"primary_metric": "accuracy"}, "entity_f1")],
)
def test_settings_of_other_tasks_are_refused(path: Path, settings: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        spec_of(path, **settings)


def test_texts_without_any_entity_are_refused(path: Path) -> None:
    spec, examples = spec_of(path)
    empty = [example for example in examples if set(example.tags) == {"O"}]
    with pytest.raises(DataError, match="no training example has a marked span"):
        spec.with_splits({"train": empty, "test": examples}, None)
    with pytest.raises(DataError, match="no test example has a marked span"):
        spec.with_splits({"train": examples, "test": [replace(examples[0], tags=(), spans=())]}, None)


def test_names_of_types_may_have_spaces(tmp_path: Path) -> None:
    renamed = [(words, [tag.replace("JOB", "Kind of work") for tag in tags]) for words, tags in tagged_texts(30)]
    spec, examples = spec_of(write_tagged(tmp_path / "texts.jsonl", renamed))
    assert "B-Kind of work" in spec.with_splits({"train": examples}, None).labels


def test_a_model_with_tags_of_another_scheme_is_refused(path: Path, tmp_path: Path) -> None:
    spec, examples = spec_of(path)
    folder = checkpoints.bert(tmp_path / "bert")
    with pytest.raises(CheckpointError, match="finds no entities"):
        spec.for_model(open_checkpoint(str(folder)), examples)
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["BertForTokenClassification"], "id2label": {"0": "O", "1": "S-JOB", "2": "E-JOB"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r'"S-JOB".* expected O, and B- and I-'):
        spec.for_model(open_checkpoint(str(folder)), examples)
    config["id2label"] = {"0": "O", "1": "B-X", "2": "I-X"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match='the model knows "X"'):
        spec.for_model(open_checkpoint(str(folder)), examples)


def test_tags_against_the_rules_are_reported_in_every_file(path: Path, encoder: Path, tmp_path: Path) -> None:
    def broken(name: str, seed: int) -> str:
        texts = tagged_texts(40, seed=seed)
        texts[3] = (texts[3][0], ["I-JOB", *texts[3][1][1:]])
        return str(write_tagged(tmp_path / name, texts))

    files = {"validation": broken("validation.jsonl", 1), "test": broken("test.jsonl", 2)}
    recipe = make_recipe({}, data=str(path), checkpoint=str(encoder), **files, general=broken("general.jsonl", 3))
    notes = prepare(recipe).record.notes
    for name in ("validation.jsonl", "test.jsonl", "general.jsonl"):
        (note,) = [each for each in notes if f"{name}: 1 tag follows another against the rules" in each]
        assert 'row 4, word 1 ("I-JOB" at the beginning)' in note
