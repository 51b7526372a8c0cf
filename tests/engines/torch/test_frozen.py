"""What is frozen stays as it is, bit for bit, and all else learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.classifying import lively, topic_texts

import homeground
from homeground.errors import UsageError
from homeground.storage import file_hash

SETTINGS: dict[str, Any] = {"epochs": 1, "cross_fit": 0, "bootstrap_draws": 200, "audit": False, "quiet": True}
ROWS = [{"text": text, "label": label} for text, label in topic_texts(80)]


def moved(before: Path, after: Path) -> set[str]:
    """Return the names of the weights of the body that are not what they were."""
    one, other = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
    return {name for name in one if name in other and not torch.equal(one[name], other[name])}


def in_layers(*numbers: int) -> Callable[[str], bool]:
    return lambda name: any(f".layer.{number}." in name for number in numbers)


@pytest.mark.parametrize(
    ("freeze", "stays"),
    [
        ("embeddings", lambda name: ".embeddings." in name),
        (1, lambda name: ".embeddings." in name or in_layers(0)(name)),
        ("body", lambda name: ".embeddings." in name or ".encoder." in name or ".pooler." in name),
    ],
)
def test_frozen_weights_stay(freeze: str | int, stays: Callable[[str], bool], tmp_path: Path) -> None:
    checkpoint = lively(tmp_path / "bert")
    plain = homeground.adapt(ROWS, checkpoint=str(checkpoint), out=str(tmp_path / "plain"), **SETTINGS)
    frozen = homeground.adapt(ROWS, checkpoint=str(checkpoint), freeze=freeze, out=str(tmp_path / "run"), **SETTINGS)
    all_moved, some_moved = moved(checkpoint, plain.model_folder), moved(checkpoint, frozen.model_folder)
    assert some_moved == {name for name in all_moved if not stays(name)}
    assert {name for name in all_moved if stays(name)}
    assert "freeze" in (tmp_path / "run/recipe.toml").read_text()


def test_what_cannot_be_frozen_is_refused(encoder: Path, tmp_path: Path) -> None:
    checkpoint = str(lively(tmp_path / "bert"))
    with pytest.raises(UsageError, match="--freeze 9: the checkpoint has 2 layers"):
        homeground.adapt(ROWS, checkpoint=checkpoint, freeze=9, out=str(tmp_path / "a"), **SETTINGS)
    pairs = [{"text1": f"bank {n}", "text2": f"loan {n % 9}", "score": n % 5 / 4} for n in range(60)]
    with pytest.raises(UsageError, match="nothing is left to be trained"):
        homeground.adapt(pairs, checkpoint=str(encoder), freeze="body", out=str(tmp_path / "b"), **SETTINGS)
    with pytest.raises(UsageError, match="--freeze is for PyTorch only"):
        homeground.adapt(ROWS, checkpoint=checkpoint, freeze="body", engine="keras", **SETTINGS)


def test_frozen_weights_are_the_same_for_two_processes(tmp_path: Path) -> None:
    settings = {**SETTINGS, "checkpoint": str(lively(tmp_path / "bert")), "freeze": 1, "slices": 2, "threads": 1}
    one, two = (homeground.adapt(ROWS, out=str(tmp_path / f"{n}"), processes=n, **settings) for n in (1, 2))
    assert file_hash(one.model_folder / "model.safetensors") == file_hash(two.model_folder / "model.safetensors")
