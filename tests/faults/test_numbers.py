"""Row 6: numbers that go wrong end in one sentence, and nothing that is not finite reaches the disk."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests import checkpoints
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.faults.conftest import Row, Zygote

DIVERGING = ["--learning-rate", "1e30", "--max-grad-norm", "1e30", "--no-audit", "--quiet", "--cross-fit", "0"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(
    value: float, zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("6 weights that are not finite")
    for name in ("encoder", "bert"):
        broken = shutil.copytree(folder / name, folder / f"broken-{name}")
        weights = load_file(broken / "model.safetensors")
        first = max(weights, key=lambda each: weights[each].size)
        weights[first].flat[3] = value
        save_file(weights, broken / "model.safetensors", {"format": "pt"})
        for argv in (
            ["adapt", "pairs.csv", "--checkpoint", str(broken)],
            ["predict", str(broken), "a", "b"],
            ["evaluate", str(broken), "pairs.csv"],
        ):
            ended = zygote.ask({"argv": argv, "cwd": str(folder)})
            held = ended["status"] == 2 and "are NaN or infinite" in ended["output"]
            tried(" ".join(argv), held, str(ended))


def test_a_training_that_diverges_names_its_rows_and_can_be_gone_on_with(
    zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder, tried = workplace(), row("6 a training that diverges")
    argv = ["adapt", "labels.csv", "--checkpoint", "bert", "--epochs", "4", *DIVERGING, "--out", "runs/run"]
    for attempt in range(2):
        ended = zygote.ask({"argv": argv, "cwd": str(folder)})
        held = (
            ended["status"] == 70
            and "step was not taken" in ended["output"]
            and "the batch was rows " in ended["output"]
        )
        tried(f"attempt {attempt}", held, str(ended))
        for path in (folder / "runs/run").rglob("*.safetensors"):
            finite = all(np.isfinite(each).all() for each in load_file(path).values())
            tried(f"attempt {attempt}, {path.name}", finite)


def test_a_trial_that_diverges_is_passed_over(
    zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    argv = ["adapt", "labels.csv", "--checkpoint", "bert", "--search", "3", "--search-rates", "1e-3,1e30"]
    argv += ["--max-grad-norm", "1e30", "--epochs", "1", "--no-audit", "--quiet", "--cross-fit", "0"]
    ended = zygote.ask({"argv": argv, "cwd": str(workplace())})
    row("6 a trial that diverges")("search", ended["status"] == 0, str(ended))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_near_identical_texts_have_a_finite_gradient_through_a_dense_layer(
    precision: str, zygote: Zygote, workplace: Callable[[], Path], row: Callable[[str], Row]
) -> None:
    folder = workplace()
    checkpoints.sentence_encoder(folder / "dense", dense=True)
    rows = [(one, f"{one} .", 1.0) if number % 2 else (one, two, score)
            for number, (one, two, score) in enumerate(topic_pairs(120))]  # fmt: skip
    with (folder / "same.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([PAIR_HEADER, *rows])
    argv = ["adapt", "same.csv", "--checkpoint", "dense", "--precision", precision, "--learning-rate", "1e-3"]
    ended = zygote.ask({"argv": [*argv, "--no-audit", "--quiet", "--cross-fit", "0"], "cwd": str(folder)})
    row("6 near-identical texts")(precision, ended["status"] == 0, str(ended))
