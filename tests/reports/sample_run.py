"""Run folders to make reports from: a plausible simulation, in every verdict, in English and Chinese.

``write_sample_run(folder, kind="helped")`` writes the files of a finished run; ``change`` may alter them before. The
kinds are those of ``KINDS``, runs of similarity, and of ``CLASSIFICATIONS``.
Run as a program it writes one folder of each kind, to look at: ``python -m tests.reports.sample_run FOLDER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.reports.sample_classification import CLASSIFICATIONS, classification_files

ENGLISH = [
    "data scientist",
    "machine learning engineer",
    "statistician",
    "dairy farm manager",
    "head chef",
    "pastry cook",
    "court reporter",
    "employment lawyer",
    "paralegal",
]
CHINESE = [
    "数据科学家",
    "机器学习工程师",
    "统计分析师",
    "奶牛场场长",
    "行政总厨",
    "糕点师傅",
    "法庭书记员",
    "劳动法律师",
    "律师助理",
]
LEVELS = ["junior", "senior", "lead", "assistant", "interim", "freelance", "chief", "trainee"]
GRADES = ["初级", "高级", "首席", "助理", "实习", "资深", "代理", "兼职"]

# How far the simulated model's similarities lie from the given ones, before and after, and over how many groups.
KINDS: dict[str, dict[str, Any]] = {
    "helped": {"noise": (0.11, 0.115), "groups": 61, "verdict": "HELPED", "general": "KEPT"},
    "no-evidence": {"noise": (0.150, 0.258), "groups": 44, "verdict": "NO EVIDENCE", "general": "UNDECIDED"},
    "hurt": {"noise": (0.11, 0.26), "groups": 70, "verdict": "HURT", "general": "FORGOT"},
    "too-few": {"noise": (0.12, 0.13), "groups": 14, "verdict": "TOO FEW", "general": None},
}

Files = dict[str, Any]


def write_sample_run(
    folder: Path, *, kind: str = "helped", chinese: bool = False, change: Callable[[Files], None] | None = None
) -> Path:
    """Write the run folder of one kind and return it; ``change`` may edit the contents by file name."""
    files = sample_files(kind=kind, chinese=chinese)
    if change:
        change(files)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is not None:
            (folder / name).write_text(_as_text(name, content), encoding="utf-8")
    return folder


def _as_text(name: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if name.endswith(".jsonl"):
        return "".join(json.dumps(line) + "\n" for line in content)
    return json.dumps(content, indent=1)


def sample_files(*, kind: str = "helped", chinese: bool = False) -> Files:
    """Return the contents of every file of a finished run, by file name."""
    if kind in CLASSIFICATIONS:
        files, own = sample_files(), classification_files(kind)
        general = None if kind == "topics" else files["scores.json"]["general"]
        return files | own | {"scores.json": files["scores.json"] | own["scores.json"] | {"general": general}}
    settings = KINDS[kind]
    examples = _examples(settings, chinese=chinese)
    return {
        "run.json": _run(chinese=chinese),
        "recipe.toml": _RECIPE.format(data="职位.csv" if chinese else "occupations.csv"),
        "data.json": _data(examples, chinese=chinese),
        "metrics.jsonl": _metrics(settings),
        "scores.json": _scores(examples, settings, kind=kind, chinese=chinese),
        "examples.jsonl": examples,
    }


def unscored(files: Files) -> None:
    """Turn the sample into one of pairs without scores: ranks of the right partner instead of similarities."""
    random = np.random.default_rng(5)
    for example in files["examples.jsonl"]:
        del example["similarity"]
        example["before"] = 1 / int(1 + random.geometric(0.35))
        example["after"] = 1 / int(random.geometric(0.55))
    means = {side: float(np.mean([row[side] for row in files["examples.jsonl"]])) for side in ("before", "after")}
    firsts = {side: float(np.mean([row[side] == 1 for row in files["examples.jsonl"]])) for side in means}
    gain = means["after"] - means["before"]
    files["scores.json"] |= {
        "primary_metric": "mrr",
        **{side: {"mrr": means[side], "accuracy_at_1": firsts[side]} for side in means},
        "baselines": {"tf-idf cosine": {"mrr": 0.31, "accuracy_at_1": 0.2}},
        "difference": {"metric": "mrr", "value": gain, "low": gain - 0.03, "high": gain + 0.03, "level": 0.95},
        "differences": {},
        "baseline_difference": None,
        "sentence": f"HELPED: mean reciprocal rank {means['before']:.3f} → {means['after']:.3f}",
    }


def _examples(settings: dict[str, Any], *, chinese: bool) -> list[dict[str, Any]]:
    random = np.random.default_rng(20)
    titles, grades = (CHINESE, GRADES) if chinese else (ENGLISH, LEVELS)
    join = "" if chinese else " "
    rows: list[dict[str, Any]] = []
    for group in range(settings["groups"]):
        for _ in range(int(random.integers(4, 12))):
            first, second = random.integers(0, 9, 2)
            given = (0.95 if first == second else 0.6 if first // 3 == second // 3 else 0.2) + random.normal(0, 0.08)
            given = round(float(np.clip(given, 0, 1)), 2)
            before, after = (
                float(np.clip(centre + slope * given + random.normal(0, noise), 0, 1))
                for centre, slope, noise in zip((0.4, 0.18), (0.45, 0.75), settings["noise"], strict=True)
            )
            texts = [grades[random.integers(8)] + join + titles[index] for index in (first, second)]
            rows.append(
                {"row": len(rows) + 2, "unit": str(group), "text_1": texts[0], "text_2": texts[1],
                 "similarity": given, "before": round(before, 4), "after": round(after, 4)}
            )  # fmt: skip
    return rows


def _measured(examples: list[dict[str, Any]], side: str) -> dict[str, float]:
    given = np.array([row["similarity"] for row in examples])
    scores = np.array([row[side] for row in examples])
    ranks = [np.argsort(np.argsort(values)) for values in (given, scores)]
    return {
        "pearson": float(np.corrcoef(given, scores)[0, 1]),
        "spearman": float(np.corrcoef(*ranks)[0, 1]),
        "mse": float(np.mean((given - scores) ** 2)),
        "mae": float(np.mean(np.abs(given - scores))),
        "mape": float(np.mean(np.abs(given - scores) / np.maximum(given, 0.05))),
    }


def _scores(examples: list[dict[str, Any]], settings: dict[str, Any], *, kind: str, chinese: bool) -> dict[str, Any]:
    before, after = _measured(examples, "before"), _measured(examples, "after")
    differences = {
        name: _difference(after[name] - before[name] if name in ("pearson", "spearman") else before[name] - after[name],
                          spread=0.2 * abs(before[name]) / settings["groups"] ** 0.5)
        for name in before
    }  # fmt: skip
    detectable = 2.8 / 1.96 * (differences["pearson"]["high"] - differences["pearson"]["value"])
    deciding = differences.pop("pearson")
    verdict, units = settings["verdict"], settings["groups"]
    sentence = (
        f"{verdict}: Pearson {before['pearson']:.3f} → {after['pearson']:.3f} ({deciding['value']:+.3f}, 95% interval "
        f"{deciding['low']:+.3f} to {deciding['high']:+.3f}; {len(examples)} pairs in {units} groups); best baseline "
        "tf-idf cosine 0.412; verdict no. 1 on this test set"
    )
    titles = CHINESE if chinese else ENGLISH
    return {
        "version": 1,
        "task": "similarity",
        "primary_metric": "pearson",
        "verdict": verdict,
        "sentence": sentence,
        "below_baseline": False,
        "before": before,
        "after": after,
        "baselines": {"tf-idf cosine": {"pearson": 0.412, "spearman": 0.398, "mse": 0.118, "mae": 0.281}},
        "difference": deciding
        | {"metric": "pearson", "level": 0.95, "standard_error": 0.01, "method": "paired bootstrap over units"},
        "differences": differences,
        "baseline_difference": {"name": "tf-idf cosine", "value": 0.4, "low": 0.34, "high": 0.46},
        "smallest_detectable": detectable,
        "test_examples": len(examples),
        "test_units": units,
        "unit": "group",
        "cross_fit": 5 if kind == "too-few" else None,
        "general": _general(settings["general"]),
        "test_set": {"hash": "9f2c" * 16, "verdict_number": 1},
        "seen_in_training": 0,
        "training": {
            "epochs": 4.0, "steps": 256, "best_step": 192, "stopped_because": "all epochs were done",
            "seconds": 212.4, "precision": "bf16", "device": "cpu", "keep": "best",
        },
        "heat_map": heat_map(titles, hurt=kind == "hurt"),
        "notes": ["One training run; the interval covers the choice of test pairs only."],
    }  # fmt: skip


def _difference(value: float, *, spread: float) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread}


def _general(word: str | None) -> dict[str, Any] | None:
    if word is None:
        return None
    value, reach = {"KEPT": (-0.002, 0.005), "UNDECIDED": (-0.008, 0.011), "FORGOT": (-0.061, 0.02)}[word]
    return {
        "name": "stsb.csv", "metric": "pearson", "before": 0.871, "after": 0.871 + value,
        "difference": _difference(value, spread=reach), "verdict": word,
        "sentence": f"{word}: Pearson 0.871 → {0.871 + value:.3f} on stsb.csv; a loss of 0.010 is allowed",
        "margin": 0.01, "examples": 1500, "units": 1400,
    }  # fmt: skip


def heat_map(titles: list[str], *, hurt: bool = False) -> dict[str, Any]:
    """Return similarities of titles in threes that belong together, before and after."""
    random = np.random.default_rng(7)
    count = len(titles)
    together = np.equal.outer(np.arange(count) // 3, np.arange(count) // 3)
    before = np.where(together, 0.7, 0.58) + random.normal(0, 0.03, (count, count))
    after = np.where(together, 0.65 if hurt else 0.84, 0.6 if hurt else 0.47) + random.normal(0, 0.03, (count, count))
    maps: list[list[list[float]]] = []
    for values in (before, after):
        values = (values + values.T) / 2
        np.fill_diagonal(values, 1.0)
        maps.append([[round(float(value), 4) for value in row] for row in values])
    return {"titles": titles, "before": maps[0], "after": maps[1]}


def _metrics(settings: dict[str, Any]) -> list[dict[str, Any]]:
    random = np.random.default_rng(11)
    lines: list[dict[str, Any]] = []
    for step in range(1, 257):
        loss = 0.012 + 0.03 * np.exp(-step / 60) + random.normal(0, 0.003)
        rate = 2e-5 * min(step / 26, (256 - step) / 230)
        lines.append(
            {"step": step, "epoch": step / 64, "wall_time": 1.7e9 + step, "train/loss": max(float(loss), 0.002),
             "train/learning_rate": rate,
             "train/gradient_norm": float(0.3 + 0.6 * np.exp(-step / 50) + random.gamma(2, 0.04))}
        )  # fmt: skip
        if step % 64 == 0:
            epoch = step // 64
            lines.append(
                {"step": step, "epoch": float(epoch), "wall_time": 1.7e9 + step,
                 "train/epoch_loss": [0.032, 0.021, 0.016, 0.013][epoch - 1],
                 "validation/loss": [0.024, 0.019, 0.0171, 0.0176][epoch - 1],
                 "validation/pearson": [0.802, 0.838, 0.851, 0.849][epoch - 1],
                 "validation/spearman": [0.791, 0.826, 0.838, 0.837][epoch - 1],
                 "validation/mse": [0.024, 0.019, 0.0171, 0.0176][epoch - 1],
                 "validation/mae": [0.121, 0.107, 0.101, 0.103][epoch - 1]}
            )  # fmt: skip
    return lines


def _run(*, chinese: bool) -> dict[str, Any]:
    data = "职位.csv" if chinese else "occupations.csv"
    return {
        "version": 1,
        "state": "finished",
        "started": "2026-11-21T10:00:00+00:00",
        "finished": "2026-11-21T10:03:32+00:00",
        "homeground": "0.1.0",
        "versions": {"Python": "3.11.7", "torch": "2.13.0", "transformers": "5.23.0"},
        "identity": {
            "task": "similarity",
            "checkpoint": {
                "name": "sentence-transformers/all-MiniLM-L6-v2",
                "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "revision": "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
            },
            "data": {"train": {"path": data, "sha256": "4b1d" * 16}},
        },
    }


def _data(examples: list[dict[str, Any]], *, chinese: bool) -> dict[str, Any]:
    test = len(examples)
    path = "数据/职位.csv" if chinese else "data/occupations.csv"
    return {
        "files": [{"path": path, "sha256": "4b1d" * 16, "bytes": 90_331, "format": "csv", "rows": 10 * test + 9}],
        "understood": "Scored pairs: title against other, the similarity in score, kept together by group.",
        "columns": {
            "text_1": "职位" if chinese else "title",
            "text_2": "other",
            "similarity": "score",
            "group": "group",
        },
        "counts": {"read": 10 * test + 9, "used": 10 * test, "train": 8 * test, "validation": test, "test": test},
        "set_aside": [
            {"reason": "empty text", "count": 3, "rows": [17, 20, 31]},
            {"reason": "score is not a number", "count": 6, "rows": [44, 45, 46, 47, 48, 49]},
        ],
        "duplicates": {"exact": 5, "conflicting_scores": 1, "rows": [12, 13, 90, 91, 140]},
        "split": {
            "kind": "random",
            "unit": "group",
            "units": {"train": 488, "validation": 61, "test": 61},
            "version": 1,
        },
        "hubs": [{"text": (CHINESE if chinese else ENGLISH)[0], "pairs": 45}, {"text": "manager", "pairs": 31}],
        "recurring_text_2": 12,
        "truncated": {"texts": 4, "max_length": 128},
        "seen_in_training": 0,
        "notes": ["Scores lie between 0 and 1 and were used as given."],
    }


_RECIPE = """\
data = "{data}"
task = "similarity"
checkpoint = "sentence-transformers/all-MiniLM-L6-v2"
engine = "torch"
seed = 0

[columns]
text_1 = "title"
text_2 = "other"
similarity = "score"
group = "group"

[reading]
quoting = "minimal"
encoding = "utf-8"
header = true

[split]
split = "random"
validation = 0.1
test = 0.1
split_version = 1

[encoder]
pooling = "auto"

[training]
loss = "angular_mse"
epochs = 4.0
batch_size = 32
learning_rate = 2e-05
optimizer = "adamw"
adam_beta1 = 0.9
adam_beta2 = 0.999
adam_epsilon = 1e-08
weight_decay = 0.01
schedule = "linear"
warmup_ratio = 0.1
max_grad_norm = 1.0
precision = "auto"
keep = "best"

[evaluation]
primary_metric = "pearson"
general = "stsb.csv"
general_margin = 0.01
bootstrap_draws = 10000
"""


if __name__ == "__main__":
    for sample_kind in KINDS:
        for language in ("en", "zh"):
            write_sample_run(
                Path(sys.argv[1]) / f"occupations-{sample_kind}-{language}", kind=sample_kind, chinese=language == "zh"
            )
    write_sample_run(Path(sys.argv[1]) / "occupations-unscored", change=unscored)
    for sample_kind in CLASSIFICATIONS:
        write_sample_run(Path(sys.argv[1]) / sample_kind, kind=sample_kind)
