"""Labelled texts: what is in a batch, and that loss and scores are those of the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import TOPICS
from tests.evaluation_sets import NOTHING, label_spec, label_task, labelled

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.examples import Example
from homeground.data.tokens.tokenized import TextTokens
from homeground.engines.torch.losses import LOSSES
from homeground.tasks.classification.classification import Classification, LabelledRows


def tokenized(task: Classification, examples: list[Example], bert: Path) -> LabelledRows:
    return task.tokenize(examples, TextTokens(load_tokenizer(open_checkpoint(str(bert)), max_length=16), 0))


def test_a_label_unseen_in_training_counts_as_wrong(bert: Path) -> None:
    test = labelled("abc", "u")
    task = label_spec().with_splits({"train": labelled("abab"), "validation": [], "test": test}, None)
    rows = tokenized(task, test, bert)
    measured = task.measure(rows, np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]))
    assert measured.scores["accuracy"] == pytest.approx(2 / 3)
    line = task.example_line(test[0], measured.predictions[0], measured.predictions[0])
    assert line["after"] == {"label": "a", "probability": 0.9}
    batch, denominator = task.collate(rows, np.arange(3), "training")
    assert denominator == 2
    assert batch["targets"][2].tolist() == [0, 0]


def test_macro_f1_leaves_out_what_only_training_has() -> None:
    spec, test = label_spec(metric="macro_f1"), labelled("abe", "u")
    task = spec.with_splits({"train": labelled("abcdabcd"), "validation": [], "test": test}, None)
    assert [(*task.labels, *task.unseen)[place] for place in task.tested or ()] == ["a", "b", "e"]
    assert spec.for_labels(["b", "c", "a"], test).tested == (0, 2, 3)
    measured = task.measure(LabelledRows(NOTHING, np.array([0, 1, 4]), 0), np.eye(4)[[0, 1, 3]])
    assert measured.scores["macro_f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_is_torchs_cross_entropy(bert: Path, smoothing: float, class_weights: Any) -> None:
    labels = "aaabbc"
    task = label_task(labels, class_weights=class_weights, label_smoothing=smoothing)
    rows = tokenized(task, labelled(labels), bert)
    batch, denominator = task.collate(rows, np.arange(6), "training")
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    ours = LOSSES["cross_entropy"].terms(logits, {name: torch.tensor(v) for name, v in batch.items()}) / denominator
    weight = torch.tensor([6 / 9, 1, 2]) if class_weights == "balanced" else None
    theirs = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)(logits, torch.tensor(rows.labels))
    assert float(ours) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize(("class_weights", "smoothing"), [("balanced", 0.0), ("none", 0.1)])
def test_the_loss_of_several_labels_is_torchs_too(bert: Path, class_weights: Any, smoothing: float) -> None:
    labels = [["a", "b"], ["a"], ["b"], ["a", "c"]]
    several = {"loss": "binary_cross_entropy", "metric": "macro_f1"}
    task = label_task(labels, **several, class_weights=class_weights, label_smoothing=smoothing)
    rows = tokenized(task, labelled(labels), bert)
    batch, denominator = task.collate(rows, np.arange(4), "training")
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    terms = LOSSES["binary_cross_entropy"].terms(logits, {name: torch.tensor(v) for name, v in batch.items()})
    positives = torch.tensor([1 / 3, 1.0, 3.0]) if class_weights == "balanced" else None
    # Each label is a question with two answers, so that half of what is smoothed away comes back.
    targets = torch.tensor(rows.labels, dtype=torch.float32) * (1 - smoothing) + smoothing / 2
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=positives)(logits, targets)
    assert float(terms) / denominator == pytest.approx(float(theirs), abs=1e-6)


def test_head_and_tail_keep_both_ends_of_a_long_text(bert: Path) -> None:
    task = label_task("ab", truncation="head_and_tail")
    tokenizer = load_tokenizer(open_checkpoint(str(bert)), max_length=10)
    words = [*TOPICS["money"], "court", "law", "judge", "police"]
    rows = task.tokenize([Example(1, (" ".join(words),), labels=("a",))], TextTokens(tokenizer, 0))
    kept = [tokenizer.id_to_token(int(i)) for i in rows.texts.tokens.ids]
    assert kept == ["[CLS]", *words[:2], *words[-6:], "[SEP]"]
    assert rows.truncated == 1
    assert len(tokenizer.encode(" ".join(words)).ids) == 10


def test_pairs_are_one_sequence_with_types(bert: Path) -> None:
    task = label_task("ab")
    rows = tokenized(task, [Example(1, ("bank", "loan card"), labels=("a",))], bert)
    batch, _ = task.collate(rows, np.array([0]), "measuring")
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1]]


def test_a_text_of_a_rare_class_can_move_macro_f1_more_than_others() -> None:
    rows, probabilities = LabelledRows(NOTHING, np.array([0, 0, 0, 1]), 0), np.tile([0.9, 0.1], (4, 1))
    task = label_task("abab", metric="macro_f1")
    shares = task.shares_of_classes("macro_f1", task.measure(rows, probabilities))
    assert shares is not None
    assert shares.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])
    assert task.shares_of_classes("accuracy", task.measure(rows, probabilities)) is None


def test_the_line_of_an_example_holds_its_texts_its_label_and_both_answers() -> None:
    line = label_task("abab").example_line(
        Example(1, ("bank", "loan"), labels=("b",)), np.array([0.75, 0.25]), np.array([1 / 3, 2 / 3])
    )
    assert line == {
        "text_1": "bank",
        "text_2": "loan",
        "label": "b",
        "before": {"label": "a", "probability": 0.75},
        "after": {"label": "b", "probability": 0.666667},
    }


def test_the_answer_with_several_labels_has_the_probability_of_all_its_yes_and_no() -> None:
    task = label_task("abc", loss="binary_cross_entropy", metric="macro_f1")
    line = task.example_line(labelled([["a", "c"]])[0], np.array([0.5, 0.1, 0.8]), np.array([0.2, 0.1, 0.4]))
    assert (line["text"], line["label"]) == ("t0", ["a", "c"])
    assert line["before"] == {"label": ["a", "c"], "probability": pytest.approx(0.5 * 0.9 * 0.8)}
    assert line["after"] == {"label": [], "probability": pytest.approx(0.8 * 0.9 * 0.6)}
