"""The saved model: what is written beside its weights, and that it must answer as the one that was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints
from tests.classifying import topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import write_documents
from transformers import AutoTokenizer

import homeground
from homeground.engines.model import Model
from homeground.errors import HomegroundError
from homeground.experiment.saving import save_model
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import open_baseline_model, open_model
from homeground.storage import manifest_problem
from homeground.training.events import ignore

WriteCsv = Callable[..., Path]
SetUp = Callable[..., Setup]


def settings_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "homeground.json").read_text(encoding="utf-8"))


def test_weights_tokenizer_settings_and_card_are_written_whole(
    write_csv: WriteCsv, set_up: SetUp, tmp_path: Path
) -> None:
    setup = set_up(write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60)), max_length=20)
    model, folder = open_model(setup), tmp_path / "model"
    save_model(model, setup, folder, card="# A card\n", settings={"temperature": 2.0})
    assert manifest_problem(folder) is None
    assert (folder / "README.md").read_text(encoding="utf-8") == "# A card\n"
    # The similarity by which it was trained, and what the caller adds.
    assert settings_of(folder) == {
        "version": 1,
        "task": "similarity",
        "similarity": "angular",
        "columns": {"text_1": "text_1", "text_2": "text_2", "similarity": "similarity"},
        "temperature": 2.0,
    }
    limits = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
    assert limits["max_seq_length"] == 20
    texts = ["bank loan", "court judge " * 20]
    expected = homeground.load(setup.checkpoint.folder).encode(texts[:1])
    assert np.abs(homeground.load(folder).encode(texts[:1]) - expected).max() < 1e-6


def test_a_classifier_tells_transformers_where_its_texts_were_cut(
    write_csv: WriteCsv, set_up: SetUp, classifier: Path, tmp_path: Path
) -> None:
    data = write_csv("texts.csv", ["text", "label"], topic_texts(60))
    setup = set_up(data, checkpoint=str(classifier), max_length=12)
    before = open_baseline_model(setup, setup.splits.kept, tmp_path, ignore)
    folder = tmp_path / "model"
    save_model(before.model, setup, folder, card="", settings={})
    assert settings_of(folder) == {
        "version": 1,
        "task": "classification",
        "truncation": "head",
        "columns": {"text": "text", "label": "label"},
        "max_length": 12,
    }
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer("bank loan " * 30, truncation=True).input_ids) == 12
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert [config["id2label"][str(number)] for number in range(4)] == list(setup.task.labels)


def test_a_masked_language_model_keeps_the_modules_of_its_checkpoint(set_up: SetUp, tmp_path: Path) -> None:
    data = write_documents(tmp_path / "documents.jsonl", 40)
    encoder = checkpoints.sentence_encoder(tmp_path / "encoder", dense=True)
    setup = set_up(data, checkpoint=str(encoder))
    folder = tmp_path / "model"
    save_model(open_model(setup), setup, folder, card="", settings={})
    assert settings_of(folder) == {"version": 1, "task": "mlm", "columns": {"text": "text"}}
    for name in ("modules.json", "1_Pooling/config.json", "2_Dense/config.json"):
        assert json.loads((folder / name).read_text()) == json.loads((encoder / name).read_text())


class Forgetful:
    """A model that saves other weights than those it predicts with."""

    def __init__(self, model: Model, other: Model) -> None:
        self.model, self.other = model, other

    def save(self, folder: Path) -> None:
        self.other.save(folder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def test_a_model_that_answers_otherwise_once_saved_is_refused(
    write_csv: WriteCsv, set_up: SetUp, tmp_path: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60))
    model = open_model(set_up(data))
    setup = set_up(data, checkpoint=str(checkpoints.sentence_encoder(tmp_path / "other", seed=5)))
    broken: Any = Forgetful(model, open_model(setup))
    with pytest.raises(HomegroundError, match="the saved model answers otherwise than the one that was measured"):
        save_model(broken, setup, tmp_path / "model", card="", settings={})
