"""Run folders of classifications to make reports from: two, five Chinese and seventy-seven classes, several labels.

``classification_files(name)`` returns the files of a finished run, measured by the real metrics on simulated answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from homeground.statistics import classification as formulas
from homeground.statistics.bootstrap import own_interval, paired_difference

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


def classification_files(name: str) -> dict[str, Any]:
    """Return what makes the sample a classification, by file name; what is not here is as in every other run."""
    sample = CLASSIFICATIONS[name]
    labels = _labels(sample)
    sides = {side: _answers(sample, labels, clear, side) for side, clear in zip(_SIDES, sample.clearness, strict=True)}
    lines = [
        {"row": place + 2, "unit": str(place // 2), "text": _text(sample, labels, place),
         "label": _named(sample, label), **{side: _told(sample, given[place]) for side, given in sides.items()}}
        for place, label in enumerate(labels)
    ]  # fmt: skip
    return {
        "scores.json": _scores(sample, labels, sides),
        "examples.jsonl": lines,
        "metrics.jsonl": _metrics(sample),
        "data.json": _data(sample),
        "recipe.toml": _RECIPE.format(data=sample.data, metric=_primary(sample)),
    }


_SIDES = ("before", "after")


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


def _told(sample: Sample, given: np.ndarray) -> dict[str, Any]:
    if sample.several:
        return {
            "label": _named(sample, given >= formulas.THRESHOLD),
            "probability": round(float(np.maximum(given, 1 - given).prod()), 4),
        }
    return {"label": sample.classes[int(given.argmax())], "probability": round(float(given.max()), 4)}


def _primary(sample: Sample) -> str:
    return "micro_f1" if sample.several else "macro_f1"


def _scores(sample: Sample, labels: np.ndarray, sides: dict[str, np.ndarray]) -> dict[str, Any]:
    primary, classes = _primary(sample), len(sample.classes)
    metrics = formulas.metrics(classes, sample.several)
    sums = {side: formulas.statistics(given, labels) for side, given in sides.items()}
    measured = {
        side: {name: float(metric(rows.sum(axis=0))) for name, metric in metrics.items()}
        | {"roc_auc": formulas.roc_auc(sides[side], labels)}
        for side, rows in sums.items()
    }
    differences = {
        name: paired_difference(
            sums["before"], sums["after"], metric, range(len(labels)), seed=0, draws=DRAWS,
            greater_is_better=formulas.GREATER_IS_BETTER[name],
        ).record()
        for name, metric in metrics.items()
    }  # fmt: skip
    deciding = differences.pop(primary)
    before, after = (measured[side][primary] for side in _SIDES)
    name = primary.replace("_f1", " F1").replace("m", "M", 1)
    scores: dict[str, Any] = {
        "task": "classification",
        "primary_metric": primary,
        "verdict": sample.verdict,
        "sentence": (
            f"{sample.verdict}: {name} {before:.3f} → {after:.3f} ({deciding['value']:+.3f}, 95% interval "
            f"{deciding['low']:+.3f} to {deciding['high']:+.3f}; {len(labels)} texts); best baseline "
            f"TF-IDF {0.9 * before:.3f}; verdict no. 1 on this test set"
        ),
        **measured,
        "baselines": {
            name: {metric: value * share for metric, value in measured["before"].items()}
            for name, share in (("majority class", 0.2), ("TF-IDF", 0.9), ("frozen embeddings", 0.97))
        },
        "difference": deciding | {"metric": primary},
        "differences": differences,
        "baseline_difference": {"name": "TF-IDF", "value": 0.11, "low": 0.07, "high": 0.15},
        "smallest_detectable": 1.4 * (deciding["high"] - deciding["value"]),
        "test_examples": len(labels),
        "test_units": len(labels),
        "unit": "text",
        "cross_fit": None,
        "training": {"epochs": 4.0, "steps": 160, "best_step": 160, "seconds": 131.0, "device": "cpu", "keep": "best"},
        "notes": ["One training run; the interval covers the choice of test texts only."],
        "heat_map": None,
        "classes": list(sample.classes),
        "per_class": {side: _per_class(sample, labels, sides[side], sums[side]) for side in _SIDES},
        "reliability": {side: formulas.reliability(sides[side], labels) for side in _SIDES},
        "mcnemar": vars(formulas.mcnemar(*(formulas.correct(sides[side], labels) for side in _SIDES))),
        "head": {
            "variant": "first token", "C": 1.0, "steps": 41, "converged": True, "validation_loss": 0.61,
            "variants": [
                {"variant": variant, "C": 1.0, "steps": 41, "converged": True, "validation_loss": loss,
                 "curve": [{"C": 10.0**power, "validation_loss": loss + 0.04 * abs(power)} for power in range(-3, 3)]}
                for variant, loss in (("the checkpoint's own pooler", 0.64), ("first token", 0.61))
            ],
            "frozen_embeddings": {"C": 1.0, "steps": 40, "converged": True, "validation_loss": 0.6},
        },
        "search": {
            "metric": "validation/accuracy", "chosen": 4, "stopped_because": "all trials are done",
            "trials": [
                {"learning_rate": rate, "epochs": epochs, "score": 0.7 + 0.02 * epochs - 900 * abs(rate - 3e-5),
                 "failed": None, "seconds": 31.0 * epochs}
                for rate in (1e-5, 3e-5, 5e-5)
                for epochs in (2, 4)
            ] + [{"learning_rate": 3e-4, "epochs": 4, "score": None, "seconds": 4.0,
                  "failed": "step 9: the loss is nan, the gradient's norm nan; the step was not taken"}],
        },
    }  # fmt: skip
    if not sample.several:
        scores["confusion"] = {side: formulas.confusion(sides[side], labels, classes).tolist() for side in _SIDES}
    return scores


def _per_class(sample: Sample, labels: np.ndarray, given: np.ndarray, rows: np.ndarray) -> list[dict[str, Any]]:
    classes = len(sample.classes)
    found = formulas.per_class(given, labels)
    lines: list[dict[str, Any]] = []
    for place, label in enumerate(sample.classes):
        f1 = formulas.f1_of_class(place, classes)
        interval = own_interval(rows, f1, range(len(labels)), seed=0, draws=40 if classes > 12 else DRAWS)
        lines.append(
            {"label": label, "precision": float(found.precision[place]), "recall": float(found.recall[place]),
             "f1": float(found.f1[place]), "support": int(found.support[place]),
             "low": interval.low, "high": interval.high}
        )  # fmt: skip
    return lines


def _metrics(sample: Sample) -> list[dict[str, Any]]:
    random = np.random.default_rng(11)
    names = ("micro_f1", "macro_f1") if sample.several else ("accuracy", "macro_f1")
    lines: list[dict[str, Any]] = []
    for step in range(1, 161):
        lines.append(
            {"step": step, "epoch": step / 40, "wall_time": 1.7e9 + step,
             "train/loss": float(0.3 + 1.2 * np.exp(-step / 30) + random.gamma(2, 0.03)),
             "train/learning_rate": 3e-5 * min(step / 16, (160 - step) / 144)}
        )  # fmt: skip
        if step % 40 == 0:
            epoch = step // 40
            values = [0.7 + 0.04 * epoch, 0.66 + 0.045 * epoch]
            lines.append(
                {"step": step, "epoch": float(epoch), "wall_time": 1.7e9 + step, "train/epoch_loss": 1.1 / epoch,
                 "validation/loss": 0.9 / epoch**0.5, "validation/log_loss": 0.9001 / epoch**0.5,
                 **{f"validation/{name}": value for name, value in zip(names, values, strict=True)}}
            )  # fmt: skip
    return lines


def _data(sample: Sample) -> dict[str, Any]:
    test = sample.texts
    several = "several labels a text" if sample.several else "one label a text"
    return {
        "files": [{"path": sample.data, "sha256": "4b1d" * 16, "bytes": 90 * test, "format": "csv", "rows": 10 * test}],
        "understood": f"Labelled texts: text, {several} in label, {len(sample.classes)} classes.",
        "columns": {"text": "text", "label": "label"},
        "counts": {"read": 10 * test, "used": 10 * test - 4, "train": 8 * test, "validation": test - 4, "test": test},
        "set_aside": [{"reason": "empty text", "count": 4, "rows": [17, 20, 31, 90]}],
        "duplicates": {"exact": 9, "conflicting_scores": 2, "rows": [12, 13, 40]},
        "split": {"kind": "random", "unit": "text", "units": {"train": 8 * test, "test": test}, "version": 1},
        "truncated": {"texts": 4, "max_length": 128},
        "seen_in_training": 0,
        "notes": [],
    }


_RECIPE = """\
data = "{data}"
task = "classification"
checkpoint = "sentence-transformers/all-MiniLM-L6-v2"
engine = "torch"
seed = 0

[columns]
text = "text"
label = "label"

[training]
loss = "cross_entropy"
epochs = 4.0
batch_size = 32
learning_rate = 3e-05
keep = "best"

[evaluation]
primary_metric = "{metric}"
bootstrap_draws = 10000
"""
