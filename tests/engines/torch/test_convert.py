"""Pickled weights become model.safetensors once, and a hostile pickle becomes an error."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests import checkpoints

from homeground.checkpoint import open_checkpoint
from homeground.engines.torch.convert import convert_weights
from homeground.errors import CheckpointError

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture(autouse=True)
def _importable_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.sentence_encoder(tmp_path_factory.mktemp("built") / "encoder", dense=True)


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A sentence encoder whose weights, but for its Dense layer's, are a pickle of the old kind."""
    folder = Path(shutil.copytree(built, tmp_path / "encoder"))
    make_pickle(folder)
    torch.save({"steps": 3}, folder / "training_args.bin")
    return folder


def make_pickle(place: Path) -> None:
    torch.save(load_file(place / "model.safetensors"), place / "pytorch_model.bin")
    (place / "model.safetensors").unlink()


def same_tensors(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_converted_weights_are_the_same_numbers_and_open_as_a_checkpoint(
    built: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_pickle(folder / "2_Dense")
    with pytest.raises(CheckpointError, match="homeground convert"):
        open_checkpoint(str(folder))
    assert convert_weights(folder) == folder / "model.safetensors"
    for name in ("model.safetensors", "2_Dense/model.safetensors"):
        assert same_tensors(load_file(folder / name), load_file(built / name))
    assert [m.kind for m in open_checkpoint(str(folder)).modules] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert not list(folder.rglob("*.tmp"))
    assert capfd.readouterr() == ("", "")


def test_shards_and_shared_tensors_become_one_file_that_transformers_opens(folder: Path) -> None:
    from transformers import BertForMaskedLM

    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    (folder / "pytorch_model.bin").unlink()
    embeddings = weights["bert.embeddings.word_embeddings.weight"]
    first = {name: value for name, value in weights.items() if "embeddings" in name}
    second = {name: value for name, value in weights.items() if "embeddings" not in name}
    torch.save(first | {"cls.predictions.decoder.weight": embeddings}, folder / "pytorch_model-00001-of-00002.bin")
    torch.save(second | {"a.view": embeddings.t()}, folder / "pytorch_model-00002-of-00002.bin")
    convert_weights(folder)
    converted = load_file(folder / "model.safetensors")
    assert torch.equal(converted["cls.predictions.decoder.weight"], embeddings)
    assert torch.equal(converted["a.view"], embeddings.t())
    model = BertForMaskedLM.from_pretrained(folder, use_safetensors=True)
    assert torch.equal(model.bert.embeddings.word_embeddings.weight, embeddings)


def test_weights_that_are_safetensors_already_are_left_alone(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"mine")
    with pytest.raises(CheckpointError, match=r"has model\.safetensors already"):
        convert_weights(folder)
    assert (folder / "model.safetensors").read_bytes() == b"mine"


class Bomb:
    """Runs a command when it is unpickled without care."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch '{self.canary}'",))


@pytest.mark.parametrize("case", ["bomb", "cut short", "not tensors"])
def test_a_pickle_that_holds_more_than_tensors_is_refused_and_runs_nothing(folder: Path, case: str) -> None:
    path, canary = folder / "pytorch_model.bin", folder / "canary"
    expected = "torch could not read it"
    if case == "bomb":
        torch.save({"weight": torch.ones(2), "bomb": Bomb(canary)}, path)
    elif case == "cut short":
        os.truncate(path, 3000)
    else:
        torch.save({"weight": torch.ones(2), "epoch": 3}, path)
        expected = '"epoch", a int'
    with pytest.raises(CheckpointError, match=expected) as caught:
        convert_weights(folder)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not canary.exists()
    assert not (folder / "model.safetensors").exists()
    assert not list(folder.rglob("*.tmp"))


def test_a_torch_module_in_the_current_folder_is_not_imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "torch.py").write_text("open('canary', 'w')")
    monkeypatch.chdir(folder)
    convert_weights(Path())
    assert not (folder / "canary").exists()


def test_what_cannot_be_converted_says_why(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        convert_weights(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"holds no \.bin"):
        convert_weights(empty)
    (folder / "pytorch_model.bin").rename(folder / "a.pt")
    shutil.copy(folder / "a.pt", folder / "b.pth")
    with pytest.raises(CheckpointError, match=r"a\.pt, b\.pth could each be the weights"):
        convert_weights(folder)


def test_a_process_that_dies_is_told_by_its_signal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = folder / "dying"
    dying.write_text("#!/bin/sh\nkill -9 $$\n")
    dying.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(CheckpointError, match="ended by signal 9"):
        convert_weights(folder)
