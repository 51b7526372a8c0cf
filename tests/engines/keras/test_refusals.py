"""What the keras engine cannot compute is refused with what to do, before anything is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests import checkpoints

from homeground.checkpoint import open_checkpoint
from homeground.engines import open_engine
from homeground.errors import CheckpointError


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return checkpoints.bert(tmp_path / "bert")


def set_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def change_weights(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "electra"}, 'of type "electra", and the keras engine computes bert, distilbert, roberta, xlm-'),
        ({"hidden_act": "mish"}, 'does not know the activation "mish"'),
        ({"position_embedding_type": "relative_key"}, "sets position_embedding_type to 'relative_key'"),
        ({"is_decoder": True}, "sets is_decoder to True"),
    ],
)
def test_settings_that_compute_something_else(bert: Path, settings: dict[str, object], message: str) -> None:
    set_config(bert, **settings)
    engine = open_engine("keras")
    for opens in (engine.require_supported, lambda checkpoint: engine.open_model(checkpoint, head="encoder")):
        with pytest.raises(CheckpointError, match=message) as refused:
            opens(open_checkpoint(str(bert)))
        assert "--engine torch" in str(refused.value)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu"])
def test_known_activations_are_those_of_torch(bert: Path, activation: str) -> None:
    set_config(bert, hidden_act=activation)
    checkpoint, ids = open_checkpoint(str(bert)), np.arange(5, 21).reshape(2, 2, 4)
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    ours, theirs = (
        open_engine(name).open_model(checkpoint, head="encoder").predict(batch) for name in ("keras", "torch")
    )
    np.testing.assert_allclose(ours["embeddings"], theirs["embeddings"], rtol=0, atol=1e-5)


def test_missing_weights(bert: Path) -> None:
    change_weights(bert, lambda weights: [weights.pop(name) for name in list(weights) if "layer.1" in name] and None)
    with pytest.raises(CheckpointError, match=r"16 weights are missing, e\.g\. encoder\.layer\.1"):
        open_engine("keras").open_model(open_checkpoint(str(bert)), head="encoder")


def test_weights_of_another_shape(bert: Path) -> None:
    set_config(bert, intermediate_size=48)
    with pytest.raises(CheckpointError, match=r"has the shape \(64,\S* ?\S*, and config\.json says \(48,"):
        open_engine("keras").open_model(open_checkpoint(str(bert)), head="encoder")


def test_weights_that_are_no_numbers(bert: Path) -> None:
    def spoil(weights: dict[str, np.ndarray]) -> None:
        weights["bert.encoder.layer.0.output.dense.weight"][3, 4] = np.nan

    change_weights(bert, spoil)
    with pytest.raises(CheckpointError, match=r"1 of 2048 weights in encoder\.layer\.0\.output\.dense\.weight are NaN"):
        open_engine("keras").open_model(open_checkpoint(str(bert)), head="encoder")


def in_a_process(code: str, **environment: str) -> str:
    """Return the message with which another process refuses to open the engine."""
    program = f"""
{code}
from homeground.engines import open_engine
from homeground.errors import UsageError
try:
    open_engine("keras")
except UsageError as error:
    print("refused:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}, check=True
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "opened"


@pytest.mark.parametrize(
    ("code", "environment", "message"),
    [
        ("", {"KERAS_BACKEND": "jax"}, 'KERAS_BACKEND is "jax"'),
        (
            "import os; os.environ['KERAS_BACKEND'] = 'torch'; import keras; del os.environ['KERAS_BACKEND']",
            {},
            'already imported with the back end "torch"',
        ),
        (
            "import importlib.util as u; find = u.find_spec\n"
            "u.find_spec = lambda name, *rest: None if name == 'tensorflow' else find(name, *rest)",
            {},
            "needs tensorflow; install it with: pip install 'homeground[keras]'",
        ),
        (
            "import importlib.metadata as m; version = m.version\n"
            "m.version = lambda name: '2.15.1' if name.startswith('tensorflow') else version(name)\n",
            {},
            "tensorflow and tensorflow-cpu are both installed and overwrite each other",
        ),
        (
            "import importlib.metadata as m; version = m.version\n"
            "m.version = lambda name: '2.15.1' if name == 'tensorflow' else version(name)\n",
            {},
            "tensorflow 2.15.1 is installed; the keras engine needs 2.20 or newer",
        ),
    ],
)
def test_an_installation_that_does_not_fit(code: str, environment: dict[str, str], message: str) -> None:
    assert message in in_a_process(code, **environment)


def test_the_command_ends_with_code_2_and_writes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "texts.csv"
    data.write_text("text,label\n" + "".join(f"word {n} bank,{'ab'[n % 2]}\n" for n in range(60)))
    folder = checkpoints.other(tmp_path / "electra", "electra")
    done = subprocess.run(
        [sys.executable, "-m", "homeground", "adapt", str(data), "--checkpoint", str(folder), "--engine", "keras",
         "--out", str(tmp_path / "run")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "--engine torch" in done.stderr
    assert not (tmp_path / "run").exists()
