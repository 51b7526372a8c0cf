"""The weights of an old TFDistilBert or TFBert become a checkpoint that gives the same logits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests import checkpoints
from transformers import AutoModelForSequenceClassification

from homeground.checkpoint import open_checkpoint
from homeground.engines import open_engine
from homeground.engines.torch.convert import convert_weights
from homeground.errors import CheckpointError

SOURCE = Path(__file__).parents[2] / "src"
CLASSES = {"bert": "tf_bert_for_sequence_classification", "distilbert": "tf_distil_bert_for_sequence_classification"}


@pytest.fixture(autouse=True)
def _importable_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE) + os.pathsep + os.environ.get("PYTHONPATH", ""))


def classifier(folder: Path, kind: str) -> Path:
    body = getattr(checkpoints, kind)(folder)
    model = AutoModelForSequenceClassification.from_pretrained(body, num_labels=3)
    model.save_pretrained(folder)
    return folder


def write_h5(folder: Path, kind: str) -> dict[str, np.ndarray]:
    """Replace the weights by a file as save_pretrained of a TF class wrote it; return them."""
    h5py = pytest.importorskip("h5py")
    weights = load_file(folder / "model.safetensors")
    norms = {name.rsplit(".", 1)[0] for name, value in weights.items() if "norm" in name.lower() and value.ndim == 1}
    with h5py.File(folder / "tf_model.h5", "w") as file:
        file.create_group("dropout_19")  # a layer without weights
        for name, value in weights.items():
            place, last = name.rsplit(".", 1)
            if place in norms:
                last = {"weight": "gamma", "bias": "beta"}[last]
            elif "embeddings" in place and last == "weight":
                last = "weight" if place.endswith("word_embeddings") else "embeddings"
            elif last == "weight":
                last, value = "kernel", value.T
            path = place.replace(".", "/").replace("layer/", "layer_._")
            layer = path.split("/")[0]
            file.create_dataset(f"{layer}/{CLASSES[kind]}/{path}/{last}:0", data=value)
    (folder / "model.safetensors").unlink()
    return weights


@pytest.mark.parametrize("kind", CLASSES)
def test_converted_weights_are_those_of_the_hub(kind: str, tmp_path: Path) -> None:
    folder = classifier(tmp_path / kind, kind)
    ids = np.arange(5, 17).reshape(3, 4)
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    def logits() -> np.ndarray:
        model = open_engine("torch").open_model(open_checkpoint(str(folder)), head="sequence_classification")
        return model.predict(batch)["logits"]

    expected = logits()
    weights = write_h5(folder, kind)
    with pytest.raises(CheckpointError, match=r"tf_model\.h5 contains weights as transformers 4 wrote them.*convert"):
        open_checkpoint(str(folder))
    convert_weights(folder)
    converted = load_file(folder / "model.safetensors")
    assert converted.keys() == weights.keys()
    assert all(np.array_equal(converted[name], value) for name, value in weights.items())
    assert np.array_equal(logits(), expected)


def test_a_file_that_is_no_such_weights(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "tf_model.h5").write_bytes(b"not at all")
    with pytest.raises(CheckpointError, match=r"h5py could not read it.*nothing was written"):
        convert_weights(tmp_path)
    (tmp_path / "tf_model.h5").unlink()
    with h5py.File(tmp_path / "tf_model.h5", "w") as file:
        file.create_dataset("numbers", data=[1.0])
    with pytest.raises(CheckpointError, match="holds no weights as transformers 4 wrote them"):
        convert_weights(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
