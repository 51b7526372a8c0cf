"""Run folders to make reports from: a plausible simulation, in every verdict, in English and Chinese.

``write_sample_run(folder, kind="helped")`` writes the files of a finished run; ``change`` may alter them before. The
kinds are those of ``KINDS``, runs of similarity, and of ``CLASSIFICATIONS``.
Run as a program it writes one folder of each kind, to look at: ``python -m tests.reports.sample_run FOLDER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from tests.reports.sample_classification import CLASSIFICATIONS, against_baseline, classification_files, data_record

from homeground.results import data, parts
from homeground.results.scores import Scores
from homeground.statistics.correlation import METRICS, pair_statistics, rank_statistics
from homeground.statistics.glossary import greater_is_better

ENGLISH = [
    "data scientist", "machine learning engineer", "statistician", "dairy farm manager", "head chef", "pastry cook",
    "court reporter", "employment lawyer", "paralegal",
]  # fmt: skip
CHINESE = [
    "数据科学家", "机器学习工程师", "统计分析师", "奶牛场场长", "行政总厨", "糕点师傅", "法庭书记员", "劳动法律师",
    "律师助理",
]  # fmt: skip
LEVELS = ["junior", "senior", "lead", "assistant", "interim", "freelance", "chief", "trainee"]
GRADES = ["初级", "高级", "首席", "助理", "实习", "资深", "代理", "兼职"]

# How far the simulated model's similarities lie from the given ones, before and after, and over how many groups.
KINDS: dict[str, dict[str, Any]] = {
    "helped": {"noise": (0.11, 0.115), "groups": 61, "verdict": "HELPED", "general": "KEPT"},
    "no-evidence": {"noise": (0.150, 0.258), "groups": 44, "verdict": "NO EVIDENCE", "general": "UNDECIDED"},
    "hurt": {"noise": (0.11, 0.26), "groups": 70, "verdict": "HURT", "general": "FORGOT"},
    "too-few": {"noise": (0.12, 0.13), "groups": 14, "verdict": "TOO FEW", "general": None},
}
CHECKPOINT = data.CheckpointRecord(
    name="sentence-transformers/all-MiniLM-L6-v2",
    revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    sha256="53aa" * 16,
)

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
    if name.endswith(".toml"):
        return tomli_w.dumps(content)
    if name.endswith(".jsonl"):
        return "".join(json.dumps(line) + "\n" for line in content)
    return json.dumps(content, indent=1)


def sample_files(*, kind: str = "helped", chinese: bool = False) -> Files:
    """Return the contents of every file of a finished run, by file name."""
    if kind in CLASSIFICATIONS:
        general = None if kind == "topics" else _general("KEPT")
        return {"run.json": _run()} | classification_files(kind, CHECKPOINT, general)
    settings = KINDS[kind]
    examples = _examples(settings, chinese=chinese)
    return {
        "run.json": _run(),
        "recipe.toml": _recipe("职位.csv" if chinese else "occupations.csv"),
        "data.json": _data(len(examples), chinese=chinese).to_json(),
        "metrics.jsonl": _metrics(),
        "scores.json": _scores(examples, settings, kind=kind, chinese=chinese).to_json(),
        "examples.jsonl": examples,
    }


def unscored(files: Files) -> None:
    """Turn the sample into one of pairs without scores: ranks of the right partner instead of similarities."""
    random = np.random.default_rng(5)
    for example in files["examples.jsonl"]:
        del example["similarity"]
        example |= {"before": 1 / int(1 + random.geometric(0.35)), "after": 1 / int(random.geometric(0.55))}
    ranks = {side: np.array([row[side] for row in files["examples.jsonl"]]) for side in ("before", "after")}
    scores = {
        side: {"mrr": float(each.mean()), "accuracy_at_1": float((each == 1).mean())} for side, each in ranks.items()
    }
    gain = scores["after"]["mrr"] - scores["before"]["mrr"]
    files["scores.json"] |= {
        "primary_metric": "mrr",
        **scores,
        "baselines": {"tf-idf cosine": {"mrr": 0.31, "accuracy_at_1": 0.2}},
        "difference": {"metric": "mrr", "value": gain, "low": gain - 0.03, "high": gain + 0.03},
        "differences": {},
        "baseline_difference": None,
        "sentence": f"HELPED: mean reciprocal rank {scores['before']['mrr']:.3f} → {scores['after']['mrr']:.3f}",
    }
    del files["data.json"]["columns"]["similarity"]


def _examples(settings: dict[str, Any], *, chinese: bool) -> list[dict[str, Any]]:
    random = np.random.default_rng(20)
    titles, grades = (CHINESE, GRADES) if chinese else (ENGLISH, LEVELS)
    rows: list[dict[str, Any]] = []
    for group in range(settings["groups"]):
        for _ in range(int(random.integers(4, 12))):
            first, second = random.integers(0, 9, 2)
            given = (0.95 if first == second else 0.6 if first // 3 == second // 3 else 0.2) + random.normal(0, 0.08)
            given = round(float(np.clip(given, 0, 1)), 2)
            before, after = (
                round(float(np.clip(centre + slope * given + random.normal(0, noise), 0, 1)), 4)
                for centre, slope, noise in zip((0.4, 0.18), (0.45, 0.75), settings["noise"], strict=True)
            )
            texts = [
                f"{grades[random.integers(8)]}{'' if chinese else ' '}{titles[index]}" for index in (first, second)
            ]
            rows.append(
                {"row": len(rows) + 2, "unit": str(group), "text_1": texts[0], "text_2": texts[1],
                 "similarity": given, "before": before, "after": after}
            )  # fmt: skip
    return rows


def _measured(examples: list[dict[str, Any]], side: str) -> dict[str, float | None]:
    given, scores = (np.array([row[name] for row in examples]) for name in ("similarity", side))
    sums, ranks = pair_statistics(scores, given).sum(axis=0), rank_statistics(scores, given).sum(axis=0)
    values = {name: float(metric(sums)) for name, metric in METRICS.items()}
    return {"pearson": values.pop("pearson"), "spearman": float(METRICS["pearson"](ranks)), **values}


def interval(value: float, reach: float) -> parts.IntervalRecord:
    return parts.IntervalRecord(value=value, low=value - reach, high=value + reach)


def _scores(examples: list[dict[str, Any]], settings: dict[str, Any], *, kind: str, chinese: bool) -> Scores:
    before, after = _measured(examples, "before"), _measured(examples, "after")
    verdict, units = settings["verdict"], settings["groups"]
    differences = {
        name: interval((after[name] - old) * (1 if greater_is_better(name) else -1), 0.2 * abs(old) / units**0.5)
        for name, old in before.items()
    }
    deciding = differences.pop("pearson")
    return Scores(
        version=1,
        task="similarity",
        example="test pair",
        primary_metric="pearson",
        verdict=verdict,
        sentence=f"{verdict}: Pearson {before['pearson']:.3f} → {after['pearson']:.3f} on {len(examples)} pairs.",
        before=before,
        after=after,
        baselines={"tf-idf cosine": {"pearson": 0.412, "spearman": 0.398, "mse": 0.118, "mae": 0.281}},
        difference=parts.DecidingDifference(metric="pearson", method="paired bootstrap", **deciding.to_json()),
        differences=differences,
        baseline_difference=against_baseline("tf-idf cosine", (after["pearson"] or 0.0) - 0.412, 0.06),
        smallest_detectable=2.8 / 1.96 * (deciding.high - deciding.value),
        test_examples=len(examples),
        test_units=units,
        unit="group",
        cross_fit=5 if kind == "too-few" else None,
        general=_general(settings["general"]) if settings["general"] else None,
        test_set=parts.TestSetRecord(hash="9f2c" * 16, verdict_number=1),
        seen_in_training=0,
        training=parts.TrainingRecord(
            epochs=4.0, steps=256, best_step=192, stopped_because="all epochs were done", seconds=212.4,
            precision="bf16", device="cpu", keep="best", items_per_second=212.4, matrix_share=0.463,
        ),
        heat_map=heat_map(CHINESE if chinese else ENGLISH, hurt=kind == "hurt"),
    )  # fmt: skip


def _general(word: str) -> parts.GeneralRecord:
    value, reach = {"KEPT": (-0.002, 0.005), "UNDECIDED": (-0.008, 0.011), "FORGOT": (-0.061, 0.02)}[word]
    return parts.GeneralRecord(
        name="stsb.csv", metric="pearson", before=0.871, after=0.871 + value, difference=interval(value, reach),
        verdict=word, sentence=f"{word}: Pearson 0.871 → {0.871 + value:.3f} on stsb.csv; a loss of 0.010 is allowed",
        margin=0.01, examples=1500, units=1400,
    )  # fmt: skip


def heat_map(titles: Sequence[str], *, hurt: bool = False) -> parts.HeatMapRecord:
    """Return similarities of titles in threes that belong together, before and after."""
    random = np.random.default_rng(7)
    count = len(titles)
    together = np.equal.outer(np.arange(count) // 3, np.arange(count) // 3)
    before = np.where(together, 0.7, 0.58) + random.normal(0, 0.03, (count, count))
    after = np.where(together, 0.65 if hurt else 0.84, 0.6 if hurt else 0.47) + random.normal(0, 0.03, (count, count))
    maps = []
    for values in (before, after):
        values = (values + values.T) / 2
        np.fill_diagonal(values, 1.0)
        maps.append(values.round(4).tolist())
    return parts.HeatMapRecord(titles=tuple(titles), before=maps[0], after=maps[1])


def _metrics() -> list[dict[str, Any]]:
    random = np.random.default_rng(11)
    lines: list[dict[str, Any]] = []
    for step in range(1, 257):
        loss, norm = (start + (0.03 if start < 0.1 else 0.6) * np.exp(-step / 60) for start in (0.012, 0.3))
        lines.append(
            {"step": step, "train/loss": max(float(loss + random.normal(0, 0.003)), 0.002),
             "train/learning_rate": 2e-5 * min(step / 26, (256 - step) / 230), "train/gradient_norm": float(norm)}
        )  # fmt: skip
        if step % 64 == 0:
            epoch = step // 64
            mse = [0.024, 0.019, 0.0171, 0.0176][epoch - 1]
            lines.append(
                {"step": step, "train/epoch_loss": 0.04 / epoch, "validation/loss": mse, "validation/mse": mse,
                 "validation/pearson": 0.87 - 2 * mse, "validation/spearman": 0.86 - 2 * mse, "validation/mae": 5 * mse}
            )  # fmt: skip
    return lines


def _run() -> dict[str, Any]:
    return {
        "version": 1,
        "state": "finished",
        "started": "2026-11-21T10:00:00+00:00",
        "finished": "2026-11-21T10:03:32+00:00",
        "homeground": "0.1.0",
        "identity": {"checkpoint": CHECKPOINT.sha256, "data": {"train": "4b1d" * 16}},
    }


def _data(test: int, *, chinese: bool) -> data.DataRecord:
    record = data_record(
        "数据/职位.csv" if chinese else "data/occupations.csv",
        test,
        columns={"text_1": "职位" if chinese else "title", "text_2": "other", "similarity": "score", "group": "group"},
        unit="group",
        checkpoint=CHECKPOINT,
    )
    not_a_number = parts.RowsSetAside(reason="score is not a number", count=6, rows=(44, 45, 46, 47, 48, 49))
    hubs = (
        data.HubRecord(text=(CHINESE if chinese else ENGLISH)[0], pairs=45),
        data.HubRecord(text="manager", pairs=31),
    )
    return record.model_copy(
        update={
            "set_aside": (*record.set_aside, not_a_number),
            "hubs": hubs,
            "recurring_text_2": 12,
            "notes": ("Used.",),
        }
    )


def _recipe(data: str) -> dict[str, Any]:
    return {
        "data": data,
        "task": "similarity",
        "checkpoint": CHECKPOINT.name,
        "split": {"split": "random", "validation": 0.1, "test": 0.1},
        "training": {"loss": "angular_mse", "epochs": 4.0, "batch_size": 32, "learning_rate": 2e-05, "keep": "best"},
        "evaluation": {"general": "stsb.csv", "bootstrap_draws": 10000},
    }


if __name__ == "__main__":
    for sample in KINDS:
        for language in ("en", "zh"):
            path = Path(sys.argv[1]) / f"occupations-{sample}-{language}"
            write_sample_run(path, kind=sample, chinese=language == "zh")
    write_sample_run(Path(sys.argv[1]) / "occupations-unscored", change=unscored)
    for sample in CLASSIFICATIONS:
        write_sample_run(Path(sys.argv[1]) / sample, kind=sample)
