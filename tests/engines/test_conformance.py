"""What the protocol of a model promises, asked of every engine there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests import checkpoints

from homeground.checkpoint import load_tokenizer, open_checkpoint, write_tokenizer
from homeground.data.tokenized import tokenize
from homeground.engines import ENGINES, open_engine
from homeground.engines.model import Model, StepResult
from homeground.errors import CheckpointError
from homeground.recipe.sections import Training

TEXTS = [
    "bank",
    "the old town",
    "a happy baker and a sad lawyer play good news on the road to school",
    "money",
    "nurse",
    "court paper",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.sentence_encoder(tmp_path_factory.mktemp("conformance") / "encoder", dense=True)


@pytest.fixture(params=ENGINES)
def open_model(request: pytest.FixtureRequest, folder: Path) -> Callable[..., Model]:
    """Return a function that opens the checkpoint, or another, on one engine."""

    def opened(place: Path = folder, *, loss: str | None = "angular_mse", seed: int = 0, **settings: Any) -> Model:
        training = Training(**{"precision": "fp32", "weight_decay": 0.1, **settings}) if loss else None
        checkpoint = open_checkpoint(str(place))
        return open_engine(request.param).open_model(
            checkpoint, head="encoder", loss=loss, training=training, seed=seed
        )

    return opened


def pairs(folder: Path) -> dict[str, np.ndarray]:
    tokens = tokenize(TEXTS, load_tokenizer(open_checkpoint(str(folder)), max_length=16))
    sides = np.array([[0, 1], [2, 3], [4, 5]])
    input_ids, mask = tokens.pad(sides, 0)
    scores = np.array([0.9, 0.5, 0.7], np.float32)
    return {"input_ids": input_ids, "attention_mask": mask, "text_ids": sides, "scores": scores}


def embeddings(model: Model, folder: Path, texts: list[str] = TEXTS) -> np.ndarray:
    tokens = tokenize(texts, load_tokenizer(open_checkpoint(str(folder)), max_length=16))
    input_ids, mask = tokens.pad(np.arange(len(texts))[:, None], 0)
    return np.asarray(model.predict({"input_ids": input_ids, "attention_mask": mask})["embeddings"])


def learn(model: Model, folder: Path, steps: range) -> list[StepResult]:
    return [model.train_step(pairs(folder), 3.0, 1e-2, step) for step in steps]


def save(model: Model, place: Path, origin: Path, **options: Any) -> Path:
    place.mkdir()
    model.save(place, **options)
    write_tokenizer(open_checkpoint(str(origin)), place)
    return place


def test_an_embedding_does_not_depend_on_what_else_is_in_the_batch(open_model: Any, folder: Path) -> None:
    model = open_model(loss=None)
    together = embeddings(model, folder)
    assert (together.shape, together.dtype) == ((len(TEXTS), 1, 16), np.float32)
    for place, text in enumerate(TEXTS):
        np.testing.assert_allclose(embeddings(model, folder, [text])[0], together[place], rtol=0, atol=1e-5)


def test_predicting_is_the_same_every_time_and_changes_nothing(open_model: Any, folder: Path) -> None:
    model = open_model()
    first = embeddings(model, folder)
    loss = model.loss(pairs(folder), 3.0)
    [alone] = learn(open_model(), folder, range(1))
    [after] = learn(model, folder, range(1))
    assert after == alone
    assert np.array_equal(embeddings(open_model(), folder), first)
    assert open_model().loss(pairs(folder), 3.0) == loss


@pytest.mark.parametrize("loss", ["angular_mse", "cosine_mse", "cosent", "multiple_negatives_ranking"])
def test_the_loss_falls_where_it_is_learned(open_model: Any, folder: Path, loss: str) -> None:
    model = open_model(loss=loss)
    before = model.loss(pairs(folder), 3.0)
    results = learn(model, folder, range(20))
    assert all(result.finite and result.gradient_norm > 0 for result in results)
    assert model.loss(pairs(folder), 3.0) < before / 2


def test_the_loss_is_the_sum_over_the_denominator(open_model: Any, folder: Path) -> None:
    model = open_model(loss="cosine_mse")
    vectors = embeddings(model, folder)[:, 0].reshape(3, 2, -1).astype(np.float64)
    cosine = (vectors[:, 0] * vectors[:, 1]).sum(1) / np.linalg.norm(vectors, axis=2).prod(1)
    squares = ((cosine - pairs(folder)["scores"]) ** 2).sum()
    assert model.loss(pairs(folder), 3.0) == pytest.approx(squares / 3, rel=1e-5)
    assert model.loss(pairs(folder), 7.0) == pytest.approx(squares / 7, rel=1e-5)


def test_a_saved_model_opens_as_the_same_to_the_bit(open_model: Any, folder: Path, tmp_path: Path) -> None:
    model = open_model()
    untrained = embeddings(model, folder)
    learn(model, folder, range(3))
    saved = save(model, tmp_path / "saved", folder)
    assert not np.array_equal(embeddings(model, folder), untrained)
    assert np.array_equal(embeddings(open_model(saved, loss=None), folder), embeddings(model, folder))


def test_a_restored_training_goes_on_as_if_it_had_never_stopped(open_model: Any, folder: Path, tmp_path: Path) -> None:
    unbroken = open_model()
    learn(unbroken, folder, range(4))
    saved = save(unbroken, tmp_path / "saved", folder, with_optimizer=True)
    expected = learn(unbroken, folder, range(4, 9))
    restored = open_model()
    learn(restored, folder, range(2))  # another state, which must go
    restored.restore(saved)
    assert learn(restored, folder, range(4, 9)) == expected
    assert np.array_equal(embeddings(restored, folder), embeddings(unbroken, folder))


def test_weights_saved_without_the_optimizer_leave_it_as_it_is(open_model: Any, folder: Path, tmp_path: Path) -> None:
    model = open_model()
    learn(model, folder, range(3))
    saved = save(model, tmp_path / "saved", folder)
    at_save = embeddings(model, folder)
    learn(model, folder, range(3, 5))
    model.restore(saved)
    assert np.array_equal(embeddings(model, folder), at_save)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_step_that_is_not_finite_updates_nothing(open_model: Any, folder: Path, tmp_path: Path, value: float) -> None:
    model, other = open_model(), open_model()
    for each in (model, other):
        learn(each, folder, range(3))
    before = embeddings(model, folder)
    result = model.train_step(pairs(folder) | {"scores": np.full(3, value, np.float32)}, 3.0, 1e-2, 3)
    assert not result.finite
    assert np.array_equal(embeddings(model, folder), before)
    # Nor is anything left behind in the optimizer: both go on alike.
    assert learn(model, folder, range(3, 6)) == learn(other, folder, range(3, 6))


def test_another_seed_learns_otherwise(open_model: Any, folder: Path) -> None:
    assert learn(open_model(seed=1), folder, range(1)) != learn(open_model(seed=0), folder, range(1))


def test_a_merged_model_lies_between_two(open_model: Any, folder: Path, tmp_path: Path) -> None:
    engine = open_engine("torch")
    base, tuned = open_model(loss=None), open_model()
    learn(tuned, folder, range(5))
    ends = {0.0: embeddings(base, folder), 1.0: embeddings(tuned, folder)}
    for weight, expected in ends.items():
        assert np.array_equal(embeddings(engine.merge(base, tuned, weight), folder), expected)
    between = engine.merge(base, tuned, 0.25)
    weights = [
        load_file(next(save(m, tmp_path / str(n), folder).glob("*.safetensors")))
        for n, m in enumerate((base, tuned, between))
    ]
    for name, value in weights[2].items():
        np.testing.assert_allclose(value, 0.75 * weights[0][name] + 0.25 * weights[1][name], rtol=0, atol=1e-6)
    assert np.array_equal(embeddings(tuned, folder), ends[1.0])
    assert np.array_equal(embeddings(open_model(tmp_path / "2", loss=None), folder), embeddings(between, folder))


def test_models_of_different_weights_are_not_merged(open_model: Any, folder: Path, tmp_path: Path) -> None:
    other = checkpoints.sentence_encoder(tmp_path / "other")
    with pytest.raises(CheckpointError, match="the two models have different weights"):
        open_engine("torch").merge(open_model(other), open_model(), 0.5)


def test_an_engine_says_what_it_computes_with(open_model: Any) -> None:
    assert {"device", "precision", "threads"} <= open_model().describe().keys()
    for name in ENGINES:
        assert {"device", "threads"} <= open_engine(name).describe_hardware().keys()
