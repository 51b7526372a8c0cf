"""What the protocols of a model, its head and an engine promise, asked of every engine with every head there is.

A second engine passes these tests unchanged: they name no framework. A new head adds a row to ``CASES``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.special import log_softmax
from tests import checkpoints
from tests.classifying import lively

from homeground.checkpoint import load_tokenizer, mask_id, open_checkpoint, write_tokenizer
from homeground.data.tokens.tokenized import tokenize
from homeground.engines import ENGINES, open_engine
from homeground.engines.model import Batch, ClassifierHead, Engine, Head, MaskedHead, Model, Outputs, StepResult
from homeground.errors import CheckpointError
from homeground.recipe.sections import EncoderSettings, TrainingSettings

TEXTS = [
    "bank",
    "the old town",
    "a happy baker and a sad lawyer play good news on the road to school",
    "money",
    "nurse",
    "court paper",
]
LABELS = ("good", "bad", "odd")
IGNORED_LABEL = -100
RATE = 1e-2


def pairs(folder: Path) -> dict[str, np.ndarray]:
    """Return three pairs with a score each."""
    sides = np.array([[0, 1], [2, 3], [4, 5]])
    input_ids, mask = tokenize(TEXTS, load_tokenizer(open_checkpoint(str(folder)), max_length=16)).pad(sides, 0)
    scores = np.array([0.9, 0.5, 0.7], np.float32)
    return {"input_ids": input_ids, "attention_mask": mask, "text_ids": sides, "scores": scores}


def texts(folder: Path) -> dict[str, np.ndarray]:
    """Return six texts, each of one class."""
    tokens = tokenize(TEXTS, load_tokenizer(open_checkpoint(str(folder)), max_length=16))
    input_ids, mask = tokens.pad(np.arange(len(TEXTS)), 0)
    targets = np.eye(len(LABELS), dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    return {"input_ids": input_ids, "attention_mask": mask, "targets": targets, "weights": np.ones_like(targets)}


def masked_texts(folder: Path) -> dict[str, np.ndarray]:
    """Return six texts with their second token masked, and every fifth one after it."""
    batch = texts(folder)
    input_ids, mask = batch["input_ids"], batch["attention_mask"]
    masked = (np.arange(input_ids.shape[1]) % 5 == 1) & (mask > 0)
    labels = np.where(masked, input_ids, IGNORED_LABEL)
    input_ids = np.where(masked, mask_id(open_checkpoint(str(folder))), input_ids)
    return {"input_ids": input_ids, "attention_mask": mask, "labels": labels}


def words(folder: Path) -> dict[str, np.ndarray]:
    """Return six texts with a label for every second token, which decides a word."""
    batch = texts(folder)
    inside = batch["attention_mask"] > 0
    inside[:, 0] = False
    place = np.arange(inside.shape[1])
    return {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "deciding_tokens": (inside & (place % 2 == 1)).astype(np.int64),
        "labels": np.where(inside & (place % 2 == 1), place // 2 % 3, IGNORED_LABEL),
        "token_weights": np.where(inside, 0.5, 0.0).astype(np.float32),
    }


def squared_errors(outputs: Outputs, batch: Batch) -> float:
    vectors = outputs["embeddings"].astype(np.float64)
    cosine = (vectors[:, 0] * vectors[:, 1]).sum(1) / np.linalg.norm(vectors, axis=2).prod(1)
    return float(((cosine - batch["scores"]) ** 2).sum())


def cross_entropies(outputs: Outputs, batch: Batch) -> float:
    return float(-(batch["targets"] * log_softmax(outputs["logits"].astype(np.float64), axis=1)).sum())


def word_losses(outputs: Outputs, batch: Batch) -> float:
    """Return the summed loss of the deciding tokens, which alone have a label here."""
    decides = batch["deciding_tokens"] > 0
    labels, weights = batch["labels"][decides], batch["token_weights"][decides]
    terms = log_softmax(outputs["logits"].astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return float(-(terms * weights).sum())


def masked_losses(outputs: Outputs, batch: Batch) -> float:
    return float(-outputs["log_probabilities"].astype(np.float64).sum())


@dataclass(frozen=True)
class Case:
    """A head: its protocol, a checkpoint, a batch and the shape of what is predicted for it, and its losses.

    ``summed_loss`` computes the first of the losses from the outputs. Of ``is_new`` heads the checkpoint has none.
    """

    protocol: type[Head]
    build: Callable[[Path], Path]
    batch: Callable[[Path], dict[str, np.ndarray]]
    shapes: Mapping[str, tuple[int, ...]]
    losses: tuple[str, ...]
    summed_loss: Callable[[Outputs, Batch], float]
    is_new: bool = False
    labels: tuple[str, ...] = ()


CASES = {
    "encoder": Case(
        Head,
        lambda folder: checkpoints.sentence_encoder(folder, dense=True),
        pairs,
        {"embeddings": (3, 2, 16)},
        ("cosine_mse", "angular_mse", "cosent", "multiple_negatives_ranking"),
        squared_errors,
    ),
    "sequence_classification": Case(
        ClassifierHead,
        lambda folder: lively(folder, "distilbert"),
        texts,
        {"logits": (6, 3)},
        ("cross_entropy", "binary_cross_entropy"),
        cross_entropies,
        is_new=True,
        labels=LABELS,
    ),
    "token_classification": Case(
        ClassifierHead,
        lambda folder: lively(folder, "distilbert"),
        words,
        {"logits": (15, 3)},
        ("token_cross_entropy",),
        word_losses,
        is_new=True,
        labels=LABELS,
    ),
    "masked_lm": Case(
        MaskedHead,
        checkpoints.bert,
        masked_texts,
        {"log_probabilities": (8,), "first": (8,)},
        ("masked_cross_entropy",),
        masked_losses,
    ),
}


@dataclass(frozen=True)
class Subject:
    """One head on one engine, with a checkpoint and a batch."""

    engine: Engine
    head: str
    case: Case
    folder: Path
    batch: dict[str, np.ndarray]

    @property
    def count(self) -> float:
        """The number of items, by which the loss is divided."""
        return float(len(self.batch["input_ids"]))

    def open(
        self,
        folder: Path | None = None,
        *,
        loss: str | None = "",
        seed: int = 0,
        dropout: float | None = None,
        trainable: Any = "all",
        **settings: Any,
    ) -> Model:
        """Open the checkpoint, or another folder, to be trained; with ``loss=None`` to be measured only."""
        training = TrainingSettings(**{"precision": "fp32", "weight_decay": 0.1, **settings})
        return self.engine.open_model(
            open_checkpoint(str(folder or self.folder)),
            head=self.head,
            loss=self.case.losses[0] if loss == "" else loss,
            encoder=EncoderSettings(dropout=dropout),
            training=None if loss is None else training,
            seed=seed,
            labels=() if folder else self.case.labels,
            trainable=trainable,
        )

    def train(self, model: Model, steps: range) -> list[StepResult]:
        return [model.train_step(self.batch, self.count, RATE, step) for step in steps]

    def save(self, model: Model, folder: Path, **options: Any) -> Path:
        folder.mkdir()
        model.save(folder, **options)
        write_tokenizer(open_checkpoint(str(self.folder)), folder)
        return folder

    def item(self, number: int) -> dict[str, np.ndarray]:
        """Return one item of the batch, cut to its own length."""
        length = int(self.batch["attention_mask"][number].sum(-1).max())
        by_token = {"input_ids", "attention_mask", "labels", "deciding_tokens", "token_weights"}
        return {
            name: values[number : number + 1, ..., :length] if name in by_token else values[number : number + 1]
            for name, values in self.batch.items()
        }

    def embeddings(self, model: Model) -> np.ndarray:
        """Return the embeddings ``(texts, dimensions)`` of all texts by the body of a model."""
        folder = open_checkpoint(str(self.folder))
        input_ids, mask = tokenize(TEXTS, load_tokenizer(folder, max_length=16)).pad(np.arange(len(TEXTS))[:, None], 0)
        outputs = model.head.as_encoder().predict({"input_ids": input_ids, "attention_mask": mask})
        return outputs["embeddings"][:, 0]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("conformance")
    return {name: case.build(place / name) for name, case in CASES.items()}


def subject_of(engine: str, head: str, folders: Mapping[str, Path]) -> Subject:
    return Subject(open_engine(engine), head, CASES[head], folders[head], CASES[head].batch(folders[head]))


@pytest.fixture(params=[(engine, head) for engine in ENGINES for head in CASES], ids="-".join)
def subject(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Subject:
    return subject_of(*request.param, folders)


@pytest.fixture(params=ENGINES)
def classifier(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Subject:
    return subject_of(request.param, "sequence_classification", folders)


@pytest.fixture(params=ENGINES)
def masked(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Subject:
    return subject_of(request.param, "masked_lm", folders)


def same(first: Outputs, second: Outputs) -> bool:
    """Tell whether two outputs are equal to the bit."""
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def test_predictions_do_not_depend_on_the_other_items_of_the_batch(subject: Subject) -> None:
    model = subject.open(loss=None)
    together = model.predict(subject.batch)
    assert {name: values.shape for name, values in together.items()} == subject.case.shapes
    alone = [model.predict(subject.item(number)) for number in range(int(subject.count))]
    for name, values in together.items():
        assert values.dtype in (np.float32, np.bool_)
        np.testing.assert_allclose(np.concatenate([each[name] for each in alone]), values, rtol=0, atol=1e-5)


def test_predicting_is_repeatable_and_changes_nothing(subject: Subject) -> None:
    model = subject.open()
    first, loss = model.predict(subject.batch), model.loss(subject.batch, 3.0)
    assert same(model.predict(subject.batch), first)
    assert subject.train(model, range(2)) == subject.train(subject.open(), range(2))
    assert same(subject.open().predict(subject.batch), first)
    assert subject.open().loss(subject.batch, 3.0) == loss


def test_the_same_seed_trains_the_same_model_and_another_one_another(subject: Subject) -> None:
    models = [subject.open(), subject.open(), subject.open(seed=1)]
    results = [subject.train(model, range(3)) for model in models]
    assert results[0] == results[1] != results[2]
    assert same(models[0].predict(subject.batch), models[1].predict(subject.batch))
    assert not same(models[0].predict(subject.batch), models[2].predict(subject.batch))


@pytest.mark.parametrize(
    ("engine", "head", "loss"),
    [(engine, head, loss) for engine in ENGINES for head, case in CASES.items() for loss in case.losses],
)
def test_training_lowers_the_loss(folders: dict[str, Path], engine: str, head: str, loss: str) -> None:
    subject = subject_of(engine, head, folders)
    # At this rate, masks of dropout decide whether so few texts are told apart; without them the loss falls for sure.
    model = subject.open(loss=loss, dropout=0.0)
    before = model.loss(subject.batch, subject.count)
    results = subject.train(model, range(20))
    assert all(result.finite and result.gradient_norm > 0 for result in results)
    assert model.loss(subject.batch, subject.count) < before / 2


def test_the_loss_is_the_sum_of_its_terms_over_the_denominator(subject: Subject) -> None:
    model = subject.open()
    summed = subject.case.summed_loss(model.predict(subject.batch), subject.batch)
    assert summed > 0
    assert model.loss(subject.batch, 3.0) == pytest.approx(summed / 3, rel=1e-5)
    assert model.loss(subject.batch, 7.0) == pytest.approx(summed / 7, rel=1e-5)


@pytest.mark.parametrize("microbatch_size", [None, 2])
def test_without_dropout_a_step_reports_the_loss_before_it(subject: Subject, microbatch_size: int | None) -> None:
    model = subject.open(dropout=0.0, microbatch_size=microbatch_size)
    before = model.loss(subject.batch, subject.count)
    [result] = subject.train(model, range(1))
    assert result.loss == pytest.approx(before, rel=1e-6)
    assert model.loss(subject.batch, subject.count) < before
    # Where nothing is random, microbatches change nothing but the memory that a step takes.
    [whole] = subject.train(subject.open(dropout=0.0), range(1))
    assert result.loss == pytest.approx(whole.loss, rel=1e-5)
    assert result.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)


def test_the_gradient_norm_is_that_before_clipping(subject: Subject) -> None:
    [plain] = subject.train(subject.open(), range(1))
    [clipped] = subject.train(subject.open(max_grad_norm=1e-3, max_grad_norm_per_weight=1e-4), range(1))
    assert clipped == plain
    assert plain.gradient_norm > 1e-2


def test_a_learning_rate_of_zero_changes_nothing(subject: Subject) -> None:
    model = subject.open()
    before = model.predict(subject.batch)
    assert model.train_step(subject.batch, subject.count, 0.0, 0).finite
    assert same(model.predict(subject.batch), before)


def test_a_saved_model_opens_as_the_same_to_the_bit(subject: Subject, tmp_path: Path) -> None:
    model = subject.open()
    untrained = model.predict(subject.batch)
    subject.train(model, range(3))
    assert not same(model.predict(subject.batch), untrained)
    opened = subject.open(subject.save(model, tmp_path / "saved"), loss=None)
    assert same(opened.predict(subject.batch), model.predict(subject.batch))
    assert not opened.head.is_new


def test_a_restored_training_goes_on_as_if_it_had_never_stopped(subject: Subject, tmp_path: Path) -> None:
    unbroken = subject.open()
    subject.train(unbroken, range(4))
    saved = subject.save(unbroken, tmp_path / "saved", with_optimizer=True)
    expected = subject.train(unbroken, range(4, 9))
    restored = subject.open()
    subject.train(restored, range(2))  # another state, which must go
    restored.restore(saved)
    assert subject.train(restored, range(4, 9)) == expected
    assert same(restored.predict(subject.batch), unbroken.predict(subject.batch))


def test_weights_saved_without_the_optimizer_are_restored_alone(subject: Subject, tmp_path: Path) -> None:
    model = subject.open()
    subject.train(model, range(3))
    saved = subject.save(model, tmp_path / "saved")
    assert not (saved / "optimizer.safetensors").exists()
    expected = model.predict(subject.batch)
    subject.train(model, range(3, 5))
    model.restore(saved)
    assert same(model.predict(subject.batch), expected)


def test_a_step_that_is_not_finite_updates_nothing(subject: Subject) -> None:
    model, other = subject.open(), subject.open()
    for each in (model, other):
        subject.train(each, range(3))
    before = model.predict(subject.batch)
    floats = [name for name, values in subject.batch.items() if values.dtype == np.float32]
    spoiled = [(subject.batch | {name: subject.batch[name] * math.nan}, subject.count) for name in floats[:1]]
    for batch, denominator in [*spoiled, (subject.batch, math.nan), (subject.batch, 0.0)]:
        assert not model.train_step(batch, denominator, RATE, 3).finite
        assert same(model.predict(subject.batch), before)
    # Nor is anything left behind in the optimizer: both go on alike.
    assert subject.train(model, range(3, 6)) == subject.train(other, range(3, 6))


def test_a_merged_model_is_between_two(subject: Subject, tmp_path: Path) -> None:
    base, tuned = subject.open(loss=None), subject.open()
    subject.train(tuned, range(5))
    ends = {0.0: base.predict(subject.batch), 1.0: tuned.predict(subject.batch)}
    assert not same(ends[0.0], ends[1.0])
    for weight, expected in ends.items():
        assert same(subject.engine.merge(base, tuned, weight).predict(subject.batch), expected)
    between = subject.engine.merge(base, tuned, 0.25)
    weights = [
        load_file(next(subject.save(model, tmp_path / str(number)).glob("*.safetensors")))
        for number, model in enumerate((base, tuned, between))
    ]
    for name, value in weights[2].items():
        np.testing.assert_allclose(value, 0.75 * weights[0][name] + 0.25 * weights[1][name], rtol=0, atol=1e-6)
    assert same(base.predict(subject.batch), ends[0.0])
    assert same(tuned.predict(subject.batch), ends[1.0])
    opened = subject.open(tmp_path / "2", loss=None)
    assert same(opened.predict(subject.batch), between.predict(subject.batch))


def test_models_of_different_weights_are_not_merged(subject: Subject) -> None:
    other = next(head for head in CASES if head != subject.head)
    stranger = subject.engine.open_model(open_checkpoint(str(subject.folder)), head=other, labels=CASES[other].labels)
    with pytest.raises(CheckpointError, match="the two models have different weights"):
        subject.engine.merge(stranger, subject.open(), 0.5)


def test_an_engine_says_what_it_computes_with(subject: Subject) -> None:
    assert {"device", "precision", "threads"} <= subject.open().describe().keys()
    assert {"device", "threads"} <= subject.engine.describe_hardware().keys()


def test_a_head_has_its_protocol_and_is_new_where_the_checkpoint_has_none(subject: Subject) -> None:
    model = subject.open(loss=None)
    assert model.head.is_new == subject.case.is_new
    for protocol in (ClassifierHead, MaskedHead):
        assert isinstance(model.head, protocol) == (protocol is subject.case.protocol)


def test_the_body_as_an_encoder_shares_the_weights(subject: Subject) -> None:
    model = subject.open()
    before = subject.embeddings(model)
    plain = subject.engine.open_model(open_checkpoint(str(subject.folder)), head="encoder")
    assert np.array_equal(before, subject.embeddings(plain))
    encoder = model.head.as_encoder()
    subject.train(model, range(3))
    assert not np.array_equal(subject.embeddings(model), before)
    assert np.array_equal(subject.embeddings(encoder), subject.embeddings(model))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("head", ["sequence_classification", "token_classification", "masked_lm"])
def test_a_new_head_may_be_trained_alone(folders: dict[str, Path], engine: str, head: str, tmp_path: Path) -> None:
    bare = lively(tmp_path / "bare", "distilbert")  # has neither head
    subject = subject_of(engine, head, {head: bare})
    model = subject.open(trainable="head")
    assert model.head.is_new
    embeddings, loss = subject.embeddings(model), model.loss(subject.batch, subject.count)
    subject.train(model, range(5))
    assert np.array_equal(subject.embeddings(model), embeddings)
    assert model.loss(subject.batch, subject.count) < loss


def test_labels_of_the_checkpoint_are_the_default_and_others_make_the_head_new(
    classifier: Subject, tmp_path: Path
) -> None:
    saved = classifier.save(classifier.open(loss=None), tmp_path / "saved")
    for labels, is_new in ((), False), (LABELS, False), (LABELS[::-1], True), (LABELS[:2], True):
        model = classifier.engine.open_model(open_checkpoint(str(saved)), head=classifier.head, labels=labels)
        assert model.head.is_new == is_new
        assert model.predict(classifier.batch)["logits"].shape == (6, len(labels or LABELS))


def classifier_head(model: Model) -> ClassifierHead:
    assert isinstance(model.head, ClassifierHead)
    return model.head


def test_features_do_not_depend_on_the_other_items_of_the_batch(classifier: Subject) -> None:
    model = classifier.open()
    features = classifier_head(model).features(classifier.batch)
    assert set(features) == {"head", "mean"}
    for number in range(int(classifier.count)):
        for name, values in classifier_head(model).features(classifier.item(number)).items():
            np.testing.assert_allclose(values[0], features[name][number], rtol=0, atol=1e-5)
    # The body of the checkpoint pools by the mean.
    np.testing.assert_allclose(features["mean"], classifier.embeddings(model), rtol=0, atol=1e-5)
    assert classifier.train(model, range(2)) == classifier.train(classifier.open(), range(2))


def test_a_head_that_is_set_computes_the_linear_map_of_its_features(classifier: Subject, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    model = classifier.open()
    vectors = classifier_head(model).features(classifier.batch)["head"]
    variants = classifier_head(model).variants(vectors)
    assert variants
    for variant in variants:
        features = classifier_head(model).variant_features(vectors, variant)
        weight, bias = random.normal(size=(3, features.shape[1])), random.normal(size=3)
        classifier_head(model).set(variant, weight, bias)
        logits = model.predict(classifier.batch)["logits"]
        np.testing.assert_allclose(logits, features @ weight.T + bias, rtol=0, atol=1e-4 * np.abs(logits).max())
    opened = classifier.open(classifier.save(model, tmp_path / "saved"), loss=None)
    assert same(opened.predict(classifier.batch), model.predict(classifier.batch))


def test_scaled_logits_keep_their_order_and_are_saved(classifier: Subject, tmp_path: Path) -> None:
    model = classifier.open()
    before = model.predict(classifier.batch)["logits"]
    assert classifier_head(model).scale_logits(0.3)
    after = model.predict(classifier.batch)["logits"]
    np.testing.assert_allclose(after, 0.3 * before, rtol=1e-5, atol=1e-6)
    assert np.array_equal(after.argmax(1), before.argmax(1))
    opened = classifier.open(classifier.save(model, tmp_path / "saved"), loss=None)
    assert np.array_equal(opened.predict(classifier.batch)["logits"], after)


def test_masks_are_filled_with_the_likeliest_tokens_first(masked: Subject) -> None:
    model = masked.open()
    assert isinstance(model.head, MaskedHead)
    masked.train(model, range(4))
    outputs = model.predict(masked.batch)
    labels = masked.batch["labels"][masked.batch["labels"] != IGNORED_LABEL]
    size = len(checkpoints.VOCABULARY)
    everything = model.head.fill(masked.batch, size + 1)
    assert everything["ids"].shape == everything["log_probabilities"].shape == (len(labels), size)
    assert (np.diff(everything["log_probabilities"], axis=1) <= 0).all()
    assert np.exp(everything["log_probabilities"].astype(np.float64)).sum(1) == pytest.approx(1, abs=1e-5)
    of_labels = everything["log_probabilities"][everything["ids"] == labels[:, None]]
    np.testing.assert_allclose(of_labels, outputs["log_probabilities"], rtol=0, atol=1e-5)
    assert np.array_equal(everything["ids"][:, 0] == labels, outputs["first"])
    assert 0 < outputs["first"].sum() < len(labels)
    few = model.head.fill(masked.batch, 4)
    assert same(few, {name: values[:, :4] for name, values in everything.items()})
