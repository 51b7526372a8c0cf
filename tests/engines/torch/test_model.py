"""What is particular to the torch engine's model; what every engine promises is in test_conformance.py."""

from __future__ import annotations

import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints

from homeground.checkpoint import open_checkpoint
from homeground.engines.torch.loading import open_model
from homeground.errors import CheckpointError, DiskError
from homeground.recipe.sections import EncoderSettings, TrainingSettings
from homeground.training.snapshots import State, newest_snapshot, save_snapshot

BUILDERS = {"bert": checkpoints.bert, "distilbert": checkpoints.distilbert, "roberta": checkpoints.roberta}


def batch(pairs: int = 4, length: int = 7) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "input_ids": random.integers(5, 100, (pairs, 2, length)),
        "attention_mask": np.ones((pairs, 2, length), np.int64),
        "scores": random.random(pairs).astype(np.float32),
    }


def open_(folder: Path, **options: Any) -> Any:
    training = TrainingSettings(precision=options.pop("precision", "fp32"), **options.pop("training", {}))
    return open_model(open_checkpoint(str(folder)), head="encoder", loss="cosine_mse", training=training, **options)


@pytest.mark.parametrize("kind", BUILDERS)
def test_weights_the_embedding_never_passes_through_are_frozen_and_no_others(kind: str, tmp_path: Path) -> None:
    model = open_(BUILDERS[kind](tmp_path))
    frozen = {name for name, parameter in model.body.named_parameters() if not parameter.requires_grad}
    assert frozen == (set() if kind == "distilbert" else {"pooler.dense.weight", "pooler.dense.bias"})
    before = {name: value.detach().clone() for name, value in model.body.named_parameters()}
    # With weight decay, weights without a gradient would shrink if the optimizer had them.
    assert model.train_step(batch(), 4.0, 1e-2, 0).finite
    changed = {name for name, value in model.body.named_parameters() if not value.equal(before[name])}
    assert not changed & frozen
    # Embedding rows apart, every weight that is left learns; a key's bias alone moves no attention, being the same
    # for all keys.
    assert {name for name in before if name not in frozen and "key.bias" not in name and "k_lin.bias" not in name} <= (
        changed
    )


def test_a_model_without_a_training_holds_no_optimizer(encoder: Path, tmp_path: Path) -> None:
    model = open_model(open_checkpoint(str(encoder)), head="encoder")
    model.save(tmp_path)
    assert not (tmp_path / "optimizer.safetensors").exists()


def test_the_dropout_of_the_recipe_replaces_the_checkpoints_own(encoder: Path) -> None:
    def losses(**options: Any) -> set[float]:
        model = open_(encoder, **options)
        return {model.train_step(batch(), 4.0, 0.0, step).loss for step in range(3)}

    assert len(losses()) == 3
    assert len(losses(encoder=EncoderSettings(dropout=0.0))) == 1


def test_dropout_masks_are_keyed_by_seed_and_step(encoder: Path) -> None:
    first = open_(encoder, seed=0).train_step(batch(), 4.0, 0.0, 5).loss
    assert open_(encoder, seed=0).train_step(batch(), 4.0, 0.0, 5).loss == first
    assert open_(encoder, seed=0).train_step(batch(), 4.0, 0.0, 6).loss != first
    assert open_(encoder, seed=1).train_step(batch(), 4.0, 0.0, 5).loss != first


def test_training_in_bf16_measures_in_fp32(encoder: Path) -> None:
    exact, rough = open_(encoder, encoder=EncoderSettings(dropout=0.0)), open_(encoder, precision="bf16")
    assert np.array_equal(exact.predict(batch())["embeddings"], rough.predict(batch())["embeddings"])
    assert exact.loss(batch(), 4.0) == rough.loss(batch(), 4.0)
    rough = open_(encoder, precision="bf16", encoder=EncoderSettings(dropout=0.0))
    losses = [model.train_step(batch(), 4.0, 1e-3, 0).loss for model in (exact, rough)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_weights_are_as_readable_as_the_settings_beside_them(encoder: Path, tmp_path: Path) -> None:
    open_(encoder).save(tmp_path, with_optimizer=True)
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir() if path.is_file()}
    assert len(set(modes.values())) == 1


def test_a_full_disk_is_a_disk_error_and_the_last_checkpoint_stays(encoder: Path, tmp_path: Path) -> None:
    model = open_(encoder)
    kept = save_snapshot(tmp_path, model, State(step=1))
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(DiskError, match=r"File too large.*finished work is kept"):
            save_snapshot(tmp_path, model, State(step=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert newest_snapshot(tmp_path) == ((kept, State(step=1)), [])
    assert list((tmp_path / "checkpoints").iterdir()) == [kept]


def test_weights_that_do_not_fit_the_config_are_refused(encoder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(encoder / "model.safetensors")
    lost = "bert.encoder.layer.1.output.dense.weight"
    del weights[lost]
    for path in encoder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "modules.json").unlink()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"1 weights are missing, e\.g\. encoder\.layer\.1\.output\.dense\.weight"
    ):
        open_(tmp_path)
