"""Run folders of classifications to make reports from: two, five Chinese and seventy-seven classes, several labels.

``classification_files`` returns the files of a finished run, measured by the real metrics on simulated answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from homeground.results import data, parts
from homeground.results.confidence import ReliabilityRecord
from homeground.results.scores import Scores
from homeground.results.writing import interval_fields
from homeground.statistics import classification as formulas
from homeground.statistics.bootstrap import own_interval, paired_difference
from homeground.statistics.glossary import greater_is_better

DRAWS = 200


@dataclass(frozen=True)
class Sample:
    """What is simulated: how clearly the models see the true class, before and after, and what comes of it."""

    classes: tuple[str, ...]
    texts: int
    clearness: tuple[float, float]
    verdict: str
    phrases: tuple[str, ...]
    data: str
    several: bool = False


_THINGS = ("card", "account", "transfer", "statement", "loan", "PIN", "app", "savings", "refund", "insurance", "rate")
_MATTERS = ("lost", "blocked", "not arrived", "fee", "limit", "change", "cancel")

CLASSIFICATIONS = {
    "reviews": Sample(
        ("negative", "positive"), 420, (1.1, 1.9), "HELPED",
        ("the plot drags on and on", "a warm and clever film", "I left before the end", "see it twice",
         "well meant, badly cut, and far too long for the little it has to say about the town it is set in"),
        "reviews.csv",
    ),
    "news-zh": Sample(
        ("财经", "体育", "科技", "健康", "娱乐"), 260, (2.6, 2.62), "NO EVIDENCE",
        ("央行宣布下调存款准备金率", "主队在加时赛中逆转取胜", "新一代芯片能耗降低三成",
         "专家提醒流感季节注意防护", "电影节公布入围名单"),
        "新闻.csv",
    ),
    "intents": Sample(
        tuple(f"{thing}: {matter}" for thing in _THINGS for matter in _MATTERS), 1540, (3.4, 5.2), "HELPED",
        ("I have been waiting for two weeks, what should I do", "why was I charged again", "can I raise it"),
        "intents.csv",
    ),
    "topics": Sample(
        ("economy", "sport", "science", "health", "culture", "climate", "law", "travel"), 300, (1.6, 2.5), "HELPED",
        ("Floods close the northern pass for a third day", "Court rules on the price of medicines",
         "A museum of rowing opens by the lake"),
        "topics.jsonl",
        several=True,
    ),
}  # fmt: skip

SIDES = ("before", "after")


def against_baseline(name: str, value: float, reach: float) -> parts.BaselineDifference:
    """Return after minus a baseline, with an interval that reaches as far to both sides."""
    return parts.BaselineDifference(name=name, value=value, low=value - reach, high=value + reach)


def classification_files(
    name: str, checkpoint: data.CheckpointRecord, general: parts.GeneralRecord | None
) -> dict[str, Any]:
    """Return the files of the run, by name."""
    sample = CLASSIFICATIONS[name]
    labels = _labels(sample)
    sides = {side: _answers(sample, labels, clear, side) for side, clear in zip(SIDES, sample.clearness, strict=True)}
    lines = [
        {"row": place + 2, "unit": str(place // 2), "text": _text(sample, labels, place),
         "label": _named(sample, label), **{side: _answer(sample, given[place]) for side, given in sides.items()}}
        for place, label in enumerate(labels)
    ]  # fmt: skip
    primary = "micro_f1" if sample.several else "macro_f1"
    return {
        "scores.json": _scores(sample, primary, labels, sides, general).to_json(),
        "examples.jsonl": lines,
        "metrics.jsonl": _metrics(sample),
        "data.json": data_record(
            sample.data, sample.texts, columns={"text": "text", "label": "label"}, unit="text", checkpoint=checkpoint
        ).to_json(),
        "recipe.toml": {
            "data": sample.data,
            "task": "classification",
            "training": {"loss": "cross_entropy", "epochs": 4.0, "batch_size": 32, "keep": "best"},
            "evaluation": {"primary_metric": primary, "bootstrap_draws": 10000},
        },
    }


def _labels(sample: Sample) -> np.ndarray:
    random = np.random.default_rng(3)
    classes = len(sample.classes)
    if sample.several:
        return (random.random((sample.texts, classes)) < random.uniform(0.08, 0.35, classes)).astype(np.int64)
    share = random.dirichlet(np.full(classes, 12))
    return random.choice(classes, sample.texts, p=share)


def _answers(sample: Sample, labels: np.ndarray, clear: float, side: str) -> np.ndarray:
    """Return probabilities: the truth seen through noise, neighbouring classes alike, the adapted model too sure."""
    random = np.random.default_rng([5, side == "after"])
    classes = len(sample.classes)
    noise = np.random.default_rng(4).normal(0, 1, (sample.texts, classes)) + random.normal(
        0, 0.5, (sample.texts, classes)
    )
    if sample.several:
        return 1 / (1 + np.exp(-(clear * (2 * labels - 1) + 1.5 * noise - 0.2)))
    near = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))[labels]
    hard = np.random.default_rng(6).uniform(0.5, 1.3, classes)[labels][:, None]
    logits = clear * hard * (near == 0) + 0.35 * clear * (near == 1) + 1.2 * noise
    logits *= 1.5 if side == "after" else 0.8
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def _text(sample: Sample, labels: np.ndarray, place: int) -> str:
    if sample.several:
        return sample.phrases[place % len(sample.phrases)]
    fitting = sample.phrases[labels[place] :: len(sample.classes)]
    if len(sample.classes) <= len(sample.phrases):
        return fitting[place % len(fitting)]
    return f"{_named(sample, labels[place])}: {sample.phrases[place % len(sample.phrases)]}"


def _named(sample: Sample, label: Any) -> Any:
    if sample.several:
        return [sample.classes[place] for place in np.flatnonzero(label)]
    return sample.classes[label]


def _answer(sample: Sample, given: np.ndarray) -> dict[str, Any]:
    if sample.several:
        return {
            "label": _named(sample, given >= formulas.DECISION_THRESHOLD),
            "probability": round(float(np.maximum(given, 1 - given).prod()), 4),
        }
    return {"label": sample.classes[int(given.argmax())], "probability": round(float(given.max()), 4)}


def _scores(
    sample: Sample,
    primary: str,
    labels: np.ndarray,
    sides: dict[str, np.ndarray],
    general: parts.GeneralRecord | None,
) -> Scores:
    metrics = formulas.metrics(len(sample.classes), sample.several)
    sums = {side: formulas.statistics(given, labels) for side, given in sides.items()}
    before, after = (
        {name: float(metric(sums[side].sum(axis=0))) for name, metric in metrics.items()}
        | {"roc_auc": formulas.roc_auc(sides[side], labels)}
        for side in SIDES
    )
    differences = {
        name: interval_fields(
            paired_difference(
                sums["before"], sums["after"], metric, range(len(labels)), seed=0, draws=DRAWS,
                greater_is_better=greater_is_better(name),
            )
        )
        for name, metric in metrics.items()
    }  # fmt: skip
    deciding = parts.DecidingDifference(metric=primary, **differences.pop(primary))
    name = primary.replace("_f1", " F1").replace("m", "M", 1)
    return Scores(
        version=1,
        task="classification",
        example="test text",
        primary_metric=primary,
        verdict=sample.verdict,
        sentence=f"{sample.verdict}: {name} {before[primary]:.3f} → {after[primary]:.3f} on {len(labels)} texts.",
        before=before,
        after=after,
        baselines={
            name: {metric: value * share for metric, value in before.items()}
            for name, share in (("majority class", 0.2), ("TF-IDF", 0.9), ("frozen embeddings", 0.97))
        },
        difference=deciding,
        differences=differences,
        baseline_difference=against_baseline("frozen embeddings", after[primary] - 0.97 * before[primary], 0.03),
        smallest_detectable=1.4 * (deciding.high - deciding.value),
        test_examples=len(labels),
        test_units=len(labels),
        unit="text",
        general=general,
        training=parts.TrainingRecord(epochs=4.0, steps=160, best_step=160, seconds=131.0, device="cpu", keep="best"),
        classes=sample.classes,
        per_class=parts.PerClassRecord(**{side: _per_class(sample, labels, sides[side], sums[side]) for side in SIDES}),
        reliability=ReliabilityRecord(**{side: formulas.reliability(sides[side], labels) for side in SIDES}),
        mcnemar=parts.McNemarRecord(
            **vars(formulas.mcnemar(*(formulas.correct(sides[side], labels) for side in SIDES)))
        ),
        confusion=None
        if sample.several
        else parts.ConfusionRecord(
            **{side: formulas.confusion(sides[side], labels, len(sample.classes)).tolist() for side in SIDES}
        ),
        head=_head(),
        search=_search(),
    )


def _head() -> parts.ClassifierHeadRecord:
    fit = {"C": 1.0, "steps": 41, "converged": True}
    variants = [
        parts.VariantFit(
            variant=variant, validation_loss=loss, **fit,
            curve=[parts.PenaltyPoint(C=10.0**x, validation_loss=loss + 0.04 * abs(x)) for x in range(-3, 3)],
        )
        for variant, loss in (("the checkpoint's own pooler", 0.64), ("first token", 0.61))
    ]  # fmt: skip
    frozen = parts.PenaltyFit(validation_loss=0.6, **fit)
    return parts.ClassifierHeadRecord(
        variant="first token", validation_loss=0.61, variants=variants, frozen_embeddings=frozen, **fit
    )


def _search() -> parts.SearchRecord:
    trials = [
        parts.SearchTrial(
            learning_rate=rate, epochs=epochs, score=0.7 + 0.02 * epochs - 900 * abs(rate - 3e-5), seconds=31.0 * epochs
        )
        for rate in (1e-5, 3e-5, 5e-5)
        for epochs in (2, 4)
    ]
    failed = parts.SearchTrial(
        learning_rate=3e-4, epochs=4, seconds=4.0,
        failed="step 9: the loss is nan, the gradient's norm nan; the step was not taken",
    )  # fmt: skip
    return parts.SearchRecord(
        metric="validation/accuracy", chosen=4, stopped_because="all trials are done", trials=(*trials, failed)
    )


def _per_class(sample: Sample, labels: np.ndarray, given: np.ndarray, rows: np.ndarray) -> list[parts.ClassRecord]:
    classes = len(sample.classes)
    values = {name: each.tolist() for name, each in vars(formulas.per_class(given, labels)).items()}
    draws = 40 if classes > 12 else DRAWS
    return [
        parts.ClassRecord(
            label=label, low=interval.low, high=interval.high, **{name: each[place] for name, each in values.items()}
        )
        for place, label in enumerate(sample.classes)
        for interval in [
            own_interval(rows, formulas.f1_of_class(place, classes), range(len(labels)), seed=0, draws=draws)
        ]
    ]


def _metrics(sample: Sample) -> list[dict[str, Any]]:
    random = np.random.default_rng(11)
    names = ("micro_f1", "macro_f1") if sample.several else ("accuracy", "macro_f1")
    lines: list[dict[str, Any]] = []
    for step in range(1, 161):
        loss = float(0.3 + 1.2 * np.exp(-step / 30) + random.gamma(2, 0.03))
        lines.append(
            {"step": step, "train/loss": loss, "train/learning_rate": 3e-5 * min(step / 16, (160 - step) / 144)}
        )
        if step % 40 == 0:
            epoch = step // 40
            values = {
                f"validation/{name}": value + 0.04 * epoch for name, value in zip(names, (0.7, 0.66), strict=True)
            }
            losses = {"validation/loss": 0.9 / epoch**0.5, "validation/log_loss": 0.9001 / epoch**0.5}
            lines.append({"step": step, "train/epoch_loss": 1.1 / epoch, **losses, **values})
    return lines


def data_record(
    path: str, test: int, *, columns: dict[str, str], unit: str, checkpoint: data.CheckpointRecord
) -> data.DataRecord:
    """Return data.json of a file of which a tenth is the test."""
    return data.DataRecord(
        files=(data.FileRecord(path=path, sha256="4b1d" * 16, bytes=90 * test, format="csv", rows=10 * test + 4),),
        understood=f"Examples with {', '.join(columns.values())}.",
        columns=columns,
        counts=data.DataCounts(read=10 * test + 4, used=10 * test, train=8 * test, validation=test, test=test),
        set_aside=(parts.RowsSetAside(reason="empty text", count=3, rows=(17, 20, 31)),),
        duplicates=data.DuplicatesRecord(exact=5, conflicting_scores=1, rows=(12, 13, 90, 91, 140)),
        split=data.SplitRecord(kind="random", unit=unit, units={"train": 8 * test, "validation": test, "test": test}),
        truncated=data.TruncatedRecord(texts=4, max_length=128),
        seen_in_training=0,
        checkpoint=checkpoint,
    )
