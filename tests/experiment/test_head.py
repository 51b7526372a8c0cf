from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tests.classifying import lively, topic_texts
from transformers import AutoModelForSequenceClassification

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.examples import Example
from homeground.data.tokens.tokenized import TextTokens
from homeground.engines import open_engine
from homeground.experiment.head import Choice, Regression, fit_head, mean_loss, probabilities, vectors_of
from homeground.tasks.classification.classification import Classification
from homeground.tasks.classification.spec import ClassificationSpec


def opened(folder: Path, *, texts: int = 80, training: Any = None) -> tuple[Any, Classification, Any]:
    examples = [Example(n, (text,), labels=(label,)) for n, (text, label) in enumerate(topic_texts(texts))]
    spec = ClassificationSpec({"text": "text", "label": "label"}, "cross_entropy", "accuracy")
    task = spec.with_splits({"train": examples, "validation": [], "test": []}, None)
    checkpoint = open_checkpoint(str(folder))
    rows = task.tokenize(examples, TextTokens(load_tokenizer(checkpoint, max_length=16), 0))
    model = open_engine("torch").open_model(
        checkpoint, head=task.info.head, loss=task.info.loss, labels=task.labels, training=training
    )
    return model, task, rows


def test_a_regression_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(90, 5)), np.arange(90) % 3
    linear, steps, converged = Regression(labels, 3, several=False, balanced=False).fit(features, 0.5)
    theirs = LogisticRegression(C=0.5, max_iter=1000).fit(features, labels)
    assert np.abs(probabilities(linear, features, several=False) - theirs.predict_proba(features)).max() < 1e-6
    assert converged and 0 < steps < 1000


def test_two_classes_have_two_logits_and_an_absent_class_is_never_predicted() -> None:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(60, 4)), np.arange(60) % 2
    theirs = LogisticRegression(C=1.0, max_iter=1000).fit(features, labels).predict_proba(features)
    two, _, _ = Regression(labels, 2, several=False, balanced=False).fit(features, 1.0)
    assert np.abs(probabilities(two, features, several=False) - theirs).max() < 1e-6
    three, _, _ = Regression(labels * 2, 3, several=False, balanced=False).fit(features, 1.0)
    predicted = probabilities(three, features, several=False)
    assert predicted[:, 1].max() < 1e-3
    assert np.abs(predicted[:, [0, 2]] - theirs).max() < 1e-3


def test_several_labels_are_as_many_regressions() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 4))
    labels = (features[:, :2] + random.normal(size=(60, 2)) > 0).astype(np.int64)
    linear, _, _ = Regression(labels, 2, several=True, balanced=False).fit(features, 1.0)
    for place in range(2):
        theirs = LogisticRegression(C=1.0, max_iter=1000).fit(features, labels[:, place]).predict_proba(features)[:, 1]
        assert np.abs(probabilities(linear, features, several=True)[:, place] - theirs).max() < 1e-6


def test_c_is_chosen_where_the_validation_loss_is_least() -> None:
    random = np.random.default_rng(1)
    labels = np.arange(400) % 2
    features = random.normal(size=(400, 20)) + 5.0
    features[:, 0] += labels
    choice = Choice(labels[:80], labels[80:], np.zeros(80, np.bool_), 2, several=False, balanced=False)
    fit = choice.fit(features[:80], features[80:])
    assert fit.loss == min(point.validation_loss for point in fit.curve) or fit.loss == pytest.approx(
        min(point.validation_loss for point in fit.curve), abs=1e-6
    )
    assert 0.001 < fit.strength < 1000
    assert mean_loss(fit.linear.logits(features[80:]), labels[80:], several=False) == pytest.approx(fit.loss)


ARCHITECTURES = ["bert", "distilbert", "roberta", "electra", "mpnet", "deberta", "deberta-v2", "albert"]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_model_says_what_the_fitted_head_says(tmp_path: Path, kind: str) -> None:
    model, task, rows = opened(lively(tmp_path / kind, kind))
    assert model.head.is_new
    head = fit_head(model, task, rows, None, seed=0, size=16)
    model.head.set(head.variant, head.outer.weight, head.outer.bias)
    vectors = vectors_of(model, task, rows, size=16)["head"]
    expected = head.outer.logits(model.head.variant_features(vectors, head.variant))
    batch, _ = task.collate(rows, np.arange(80), "measuring")
    got = model.predict(batch)["logits"]
    assert np.abs(got - expected).max() < 1e-3 * max(1.0, np.abs(expected).max())
    assert head.record.converged
    model.save(tmp_path / "saved")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    with torch.inference_mode():
        logits = theirs(**{name: torch.from_numpy(values) for name, values in batch.items()}).logits
    assert np.abs(logits.numpy() - got).max() < 1e-5 * max(1.0, np.abs(got).max())


def test_relu_lets_every_training_vector_pass(tmp_path: Path) -> None:
    model, task, rows = opened(lively(tmp_path / "tiny", "distilbert"))
    vectors = vectors_of(model, task, rows, size=16)["head"]
    (variant,) = model.head.variants(vectors)
    passed = model.head.variant_features(vectors, variant) - variant.inner["bias"]
    assert np.abs(passed - vectors).max() < 1e-4
    model.head.set(variant, np.zeros((4, 32)), np.zeros(4))
    assert model.body.dropout.p == 0.0


def test_microbatches_change_nothing_without_dropout(tmp_path: Path) -> None:
    from homeground.recipe.sections import TrainingSettings

    folder = lively(tmp_path / "tiny", "bert", dropout=0.0)
    weights: list[dict[str, Any]] = []
    for size in (None, 5):
        torch.manual_seed(0)
        model, task, rows = opened(folder, texts=24, training=TrainingSettings(microbatch_size=size, precision="fp32"))
        batch, denominator = task.collate(rows, np.arange(24), "training")
        assert model.train_step(batch, denominator, 1e-3, 0).finite
        weights.append({name: value.clone() for name, value in model.body.state_dict().items()})
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-5) for name in weights[0])
