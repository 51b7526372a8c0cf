"""Row 15: checkpoints that are odd or written to do harm end in one sentence, or do what they should."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests import checkpoints
from tests.checkpoint.test_safety import HARMFUL, Bomb
from tests.faults.conftest import Row, Zygote

Change = Callable[[Path], object]


def config(**settings: object) -> Change:
    """Return what changes settings of config.json."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))

    return change


def text(name: str, content: str) -> Change:
    """Return what writes a file."""
    return lambda folder: (folder / name).write_text(content)


def weights(change: Callable[[dict[str, Any]], object]) -> Change:
    """Return what changes the weights."""

    def changed(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return changed


CLASSIFIER = {"architectures": ["BertForSequenceClassification"]}
LABELS = {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}

ODD: dict[str, tuple[str, Change]] = {
    "layers without weights": ("bert", config(num_hidden_layers=100_000)),
    "no layers": ("bert", config(num_hidden_layers=-1)),
    "layers that are no number": ("bert", config(num_hidden_layers="two")),
    "a giant width": ("bert", config(hidden_size=10**9)),
    "no width": ("bert", config(hidden_size=0)),
    "heads that do not divide": ("bert", config(num_attention_heads=7)),
    "another vocabulary": ("bert", config(vocab_size=3)),
    "a giant vocabulary": ("bert", config(vocab_size=10**12)),
    "no positions": ("bert", config(max_position_embeddings=0)),
    "an activation that is a command": ("bert", config(hidden_act="os.system")),
    "an unknown kind": ("bert", config(model_type="evilnet")),
    "a kind that is a list": ("bert", config(model_type=["bert"])),
    "another kind": ("bert", config(model_type="gpt2")),
    "config.json is a list": ("bert", text("config.json", "[1]")),
    "config.json is empty": ("bert", text("config.json", "")),
    "config.json is deep": ("bert", text("config.json", '{"a":' * 100_000)),
    "tokenizer.json is empty": ("bert", text("tokenizer.json", "")),
    "tokenizer.json is a list": ("bert", text("tokenizer.json", "[]")),
    "modules.json is an object": ("encoder", text("modules.json", "{}")),
    "modules.json is a text": ("encoder", text("modules.json", '"x"')),
    "pooling is a list": ("encoder", text("1_Pooling/config.json", "[]")),
    "homeground.json is a list": ("encoder", text("homeground.json", "[]")),
    "cleaning that is a command": ("encoder", text("homeground.json", '{"cleaning": {"steps": "os.system"}}')),
    "weights of whole numbers": ("bert", weights(lambda w: w.update({k: v.astype(np.int32) for k, v in w.items()}))),
    "half of the weights": ("bert", weights(lambda w: [w.pop(name) for name in list(w)[::2]])),
    "weights of another shape": ("bert", weights(lambda w: w.update({min(w): np.zeros((3, 3), np.float32)}))),
    "no weights": ("bert", lambda f: (f / "model.safetensors").write_bytes(b"")),
    "a giant header": ("bert", lambda f: (f / "model.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")),
    "labels that are a list": ("bert", config(**CLASSIFIER, id2label=["a", "b"])),
    "a dropout that is a text": ("bert", config(hidden_dropout_prob="x")),
    "a dense layer that is a list": ("dense", text("2_Dense/config.json", "[]")),
}  # fmt: skip
"""Folders that no one can use, each with the checkpoint it is made from."""


@pytest.fixture
def bases(material: Path, tmp_path: Path) -> dict[str, Path]:
    """The checkpoints that are changed, by name."""
    dense = checkpoints.sentence_encoder(tmp_path / "dense", dense=True)
    return {"bert": material / "bert", "encoder": material / "encoder", "dense": dense}


@pytest.mark.timeout(1200)
def test_odd_checkpoints_are_refused_in_a_sentence(
    bases: dict[str, Path], zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("15 odd checkpoints")
    for number, (name, (base, change)) in enumerate(ODD.items()):
        place = Path(shutil.copytree(bases[base], folder / f"odd-{number}"))
        change(place)
        argv = ["adapt", "labels.csv", "--checkpoint", str(place), "--no-audit", "--quiet"]
        for each in (argv, ["predict", str(place), "a bank", "the law"]):
            ended = zygote.ask({"argv": each, "cwd": str(folder)})
            held = ended["status"] == 2 and "unexpected" not in ended["output"] and place.name in ended["output"]
            tried(f"{each[0]}, {name}", held, f"{ended}")


def test_a_classifier_without_its_head_does_not_answer(
    material: Path, zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("15 a head that is not there")
    place = Path(shutil.copytree(material / "bert", folder / "headless"))
    config(**CLASSIFIER, **LABELS)(place)
    ended = zygote.ask({"argv": ["predict", str(place), "a bank"], "cwd": str(folder)})
    tried("predict", ended["status"] == 2 and "would be random" in ended["output"], str(ended))


@pytest.mark.timeout(1200)
def test_harmful_checkpoints_run_nothing(
    bases: dict[str, Path], zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("15 harmful checkpoints")
    for number, (name, (change, _)) in enumerate(HARMFUL.items()):
        home = folder / f"harmful-{number}"
        home.mkdir()
        place, canary = Path(shutil.copytree(bases["dense"], home / "place")), home / "canary"
        change(place, canary)
        ended = zygote.ask({"argv": ["adapt", "pairs.csv", "--checkpoint", str(place), "--quiet"], "cwd": str(folder)})
        tried(name, ended["status"] == 2 and not canary.exists() and "unexpected" not in ended["output"], str(ended))


def test_only_settings_and_weights_of_modules_are_saved(
    bases: dict[str, Path], zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("15 what is copied from modules")
    (bases["dense"] / "1_Pooling/notes.pkl").write_bytes(pickle.dumps(Bomb(folder / "canary")))
    argv = ["adapt", "pairs.csv", "--checkpoint", str(bases["dense"]), "--epochs", "1", "--no-audit", "--quiet"]
    ended = zygote.ask({"argv": [*argv, "--cross-fit", "0", "--out", "runs/run"], "cwd": str(folder)})
    names = {path.name for path in (folder / "runs/run/model").rglob("*")}
    tried("adapt", ended["status"] == 0 and "notes.pkl" not in names, f"{names} {ended}")
