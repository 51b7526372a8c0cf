"""Did a change of the code change any result? Small runs of every kind, saved once and compared after each step.

    python -m benchmarks.same_results save /tmp/rope/before        with the code as it was
    python -m benchmarks.same_results compare /tmp/rope/before     with the code as it is: repeats the runs, exits 1
                                                                   where a result is another one

Compared are the files that hold results: scores.json, data.json, chain.json, the answers of publish, compare and
predict, examples.jsonl, splits.jsonl, next_to_label.csv, the predictions and the model's weights. The order of keys,
times and file paths do not count. With --pages the report, the model card and the terminal's words are compared too.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from safetensors.numpy import load_file
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import documents, write_documents

import homeground
from homeground.cli import run as command

FAST = {"epochs": 1, "learning_rate": 2e-3, "batch_size": 32, "bootstrap_draws": 300, "precision": "fp32"}
TIMES = {
    "seconds", "wall_time", "texts_per_second", "tokens_per_second", "minutes", "started", "finished", "time",
    "seconds_per_step", "memory_gib", "homeground",
}  # fmt: skip
"""Names of values that differ from one run to the next."""

CHECKPOINTS = ("encoder", "bert", "lively", "distilbert")
RESULTS = (
    "scores.json", "data.json", "chain.json", "result.json", "trial.json", "head.json", "merged.json",
    "homeground.json",
)  # fmt: skip
LABEL_SETS = ("a", "b", "c")
LABELLED = {"checkpoint": "lively"}


def table(name: str, header: list[str], rows: list[Any]) -> str:
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return name


def several(count: int) -> list[list[str]]:
    """Return texts with any number of three labels, which follow from their words."""
    random = np.random.default_rng(3)
    rows = []
    for text, topic in topic_texts(count, seed=3):
        chosen = [name for name in LABEL_SETS if random.random() < (0.8 if ord(topic[0]) % 3 == ord(name) % 3 else 0.2)]
        rows.append([text, "|".join(chosen) or "a"])
    return rows


def write_data() -> None:
    checkpoints.sentence_encoder(Path("encoder"))
    checkpoints.bert(Path("bert"))
    checkpoints.distilbert(Path("distilbert"))
    lively(Path("lively"))
    pairs = [(a, b, s) for a, b, s in topic_pairs(620)]
    table("pairs.csv", PAIR_HEADER, [*pairs[:600], *pairs[:6], ("", "an empty side", 0.5)])
    table("general.csv", PAIR_HEADER, topic_pairs(120, seed=9))
    table("keep.csv", PAIR_HEADER, topic_pairs(160, seed=11))
    table("few.csv", PAIR_HEADER, topic_pairs(98, seed=5))
    together = [(a, b) for a, b, score in topic_pairs(1200, seed=4) if score > 0.6]
    table("together.csv", ["anchor", "positive"], together[:560])
    texts = topic_texts(640)
    table("labelled.csv", ["text", "label"], [*texts, *texts[:5], ("", "law"), ("no label", "")])
    table(
        "small.csv",
        ["text", "label", "group"],
        [(*row, f"g{n // 3}") for n, row in enumerate(topic_texts(180, seed=2))],
    )
    table("labelled_general.csv", ["text", "label"], topic_texts(90, seed=8))
    table("unlabelled.csv", ["text"], [(text,) for text, _ in topic_texts(150, seed=12)])
    table("several.csv", ["text", "label"], several(600))
    marked = [(one, other, "yes" if score > 0.6 else "no") for one, other, score in topic_pairs(560, seed=6)]
    table("label_pairs.csv", ["text_1", "text_2", "label"], marked)
    write_documents(Path("documents.jsonl"), 220)
    Path("domain.txt").write_text("\n".join([*documents(60, seed=5), *(text for text, _ in texts[:40])]), "utf-8")
    Path("chain.toml").write_text(
        """checkpoint = "lively"
out = "chain"
[domain]
data = "domain.txt"
[domain.split]
cross_fit = 0
[domain.training]
epochs = 1
[domain.evaluation]
bootstrap_draws = 200
mask_draws = 1
[task]
data = "small.csv"
[task.split]
cross_fit = 0
test = 0.3
[task.training]
epochs = 1
learning_rate = 1e-3
[task.evaluation]
bootstrap_draws = 200
""",
        "utf-8",
    )


def say_json(*arguments: str) -> dict[str, Any]:
    """Run a command and return what it prints, with its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command(list(arguments))
    printed = out.getvalue()
    with contextlib.suppress(ValueError):
        return {"code": code, "printed": json.loads(printed)}
    return {"code": code, "printed": printed.splitlines(), "errors": err.getvalue().splitlines()}


def adapted(data: str, **settings: Any) -> Callable[[str], None]:
    return lambda name: void(homeground.adapt(data, out=name, **{**FAST, **settings}))


def void(_: object) -> None:
    return None


def answer(*arguments: str) -> Callable[[str], None]:
    return lambda name: void(Path(f"{name}.answer.json").write_text(json.dumps(say_json(*arguments)), "utf-8"))


RUNS: dict[str, Callable[[str], None]] = {
    "scored-pairs": adapted("pairs.csv", checkpoint="encoder", general="general.csv", test="few.csv"),
    "belonging-pairs": adapted("together.csv", checkpoint="encoder"),
    "classification": adapted(
        "labelled.csv", **LABELLED, general="labelled_general.csv", unlabelled="unlabelled.csv", label_next=20,
        target_precision=0.4, learning_curve=True,
    ),
    "pairs-with-labels": adapted("label_pairs.csv", **LABELLED, class_weights="balanced", label_smoothing=0.1),
    "several-labels": adapted("several.csv", **LABELLED, label_delimiter="|"),
    "cross-fitted-seeds-kept": adapted(
        "small.csv", **LABELLED, seeds=5, general="general.csv", keep_general="keep.csv",
    ),
    "cross-fitted-pairs": adapted("few.csv", checkpoint="encoder", keep_general="keep.csv"),
    "seeds": adapted("pairs.csv", checkpoint="encoder", seeds=5),
    "search": adapted("labelled.csv", **LABELLED, search=3),
    "kept": adapted("labelled.csv", **LABELLED, keep_general="keep.csv", general="sts.csv", seed=3),
    "masked": adapted(
        "documents.jsonl", checkpoint="bert", cross_fit=0, test=0.4, general="domain.txt", pll=40, whole_word=True,
    ),
    "masked-new-head": adapted("documents.jsonl", checkpoint="distilbert", test=0.4, cross_fit=0, mask_draws=2),
    "masked-cross-fitted": adapted("domain.txt", checkpoint="bert", seeds=5, mask_draws=1),
    "chain": lambda name: void(homeground.adapt_chain("chain.toml")),
    "publish": answer(
        "publish", "scored-pairs", "alice/tiny", "--dry-run", "--json", "--language", "en", "--include-examples",
    ),
    "publish-labels": answer("publish", "classification", "alice/tiny", "--dry-run", "--json", "--license", "mit"),
    "evaluate": answer("evaluate", "scored-pairs", "general.csv", "--json"),
    "compare": answer("compare", "encoder", "scored-pairs", "general.csv", "--json"),
    "compare-labels": answer("compare", "classification", "search", "labelled_general.csv", "--json"),
    "compare-words": answer("compare", "bert", "masked", "documents.jsonl", "--pll", "30", "--json"),
    "compare-checkpoints": answer("compare", "--checkpoints", "bert", "lively", "distilbert", "labelled.csv", "--json"),
    "predict": answer("predict", "classification", "--input", "unlabelled.csv", "--output", "predicted.csv"),
    "dry-run": answer(
        "adapt", "labelled.csv", "--checkpoint", "lively", "--out", "x", "--dry-run", "--json", "--seeds", "5",
    ),
}  # fmt: skip


def repeat(folder: Path, names: list[str]) -> None:
    """Make all runs inside a folder; what the user would see goes to files beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if not Path("chain.toml").is_file():
        write_data()
        shutil.copy("general.csv", "sts.csv")
    for name in names:
        began = time.monotonic()
        try:
            RUNS[name](name)
        except homeground.HomegroundError as error:
            Path(f"{name}.answer.json").write_text(json.dumps({"error": str(error)}), "utf-8")
            print(f"{name}: {error}", flush=True)
        print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)


def results(folder: Path, *, pages: bool) -> Iterator[tuple[str, Any]]:
    """Yield every result below a folder as its path and a comparable value."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        place, name = path.relative_to(folder).as_posix(), path.name
        if (
            path.suffix == ".lock"
            or "tensorboard" in path.parts
            or place.split("/")[0] in ("encoder", "bert", "lively")
        ):
            continue
        if (
            name in ("scores.json", "data.json", "chain.json", "result.json", "trial.json", "head.json", "merged.json")
            or name.endswith(".answer.json")
            or name == "homeground.json"
        ):
            yield place, timeless(json.loads(path.read_text("utf-8")))
        elif name in ("examples.jsonl", "splits.jsonl", "metrics.jsonl"):
            yield place, [timeless(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        elif name in ("next_to_label.csv", "predicted.csv"):
            yield place, path.read_text("utf-8").splitlines()
        elif path.suffix == ".npy":
            array = np.load(path)
            yield place, [list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
        elif path.suffix == ".safetensors":
            tensors = {key: hashlib.sha256(each.tobytes()).hexdigest() for key, each in load_file(path).items()}
            yield place, tensors
        elif pages and name in ("report.html", "README.md", "recipe.toml"):
            yield place, timeless(path.read_text("utf-8").splitlines())


def timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+|[\d.]+ (seconds|minutes|s on cpu|GiB)\b", "…", value)
    return value


def differences(old: Any, new: Any, place: str, *, tolerance: float) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            if key not in old or key not in new:
                yield f"{place}.{key}: {'is new' if key not in old else 'is gone'}"
            else:
                yield from differences(old[key], new[key], f"{place}.{key}", tolerance=tolerance)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{place}[{number}]", tolerance=tolerance)
    elif isinstance(old, float) and isinstance(new, float | int):
        if old != new and abs(old - new) > tolerance * max(abs(old), 1.0):
            yield f"{place}: {old!r}, now {new!r}"
    elif old != new:
        yield f"{place}: {str(old)[:160]!r}, now {str(new)[:160]!r}"


def compare(before: Path, after: Path, *, pages: bool, tolerance: float, names: list[str]) -> int:
    old, new = (dict(results(folder, pages=pages)) for folder in (before, after))
    if len(names) < len(RUNS):
        old = {place: value for place, value in old.items() if place.split("/")[0].split(".answer")[0] in names}
        new = {place: value for place, value in new.items() if place in old or place.split("/")[0] in names}
    found = [f"{place}: {'is new' if place not in old else 'is gone'}" for place in sorted({*old} ^ {*new})]
    for place in sorted({*old} & {*new}):
        found += differences(old[place], new[place], place, tolerance=tolerance)
    print("\n".join(found[:200]))
    print(f"{len(found)} differences in {len({*old} | {*new})} files")
    return int(bool(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("act", choices=["save", "compare", "diff"])
    parser.add_argument("folder", type=Path, help="what was saved")
    parser.add_argument("--again", type=Path, help="where to repeat the runs, else a temporary folder; kept if named")
    parser.add_argument("--only", action="append", choices=list(RUNS), help="one kind of run, with those it needs")
    parser.add_argument("--pages", action="store_true", help="compare report, card and recipe too")
    parser.add_argument("--tolerance", type=float, default=0.0, help="relative difference of numbers that is none")
    asked = parser.parse_args()
    names, folder = asked.only or list(RUNS), asked.folder.resolve()
    if asked.act == "save":
        repeat(folder, names)
        return 0
    again = asked.again.resolve() if asked.again else Path(tempfile.mkdtemp())
    try:
        if asked.act == "compare":
            if again.exists():
                shutil.rmtree(again)
            repeat(again, names)
        return compare(folder, again, pages=asked.pages, tolerance=asked.tolerance, names=names)
    finally:
        if not asked.again:
            shutil.rmtree(again)


if __name__ == "__main__":
    sys.exit(main())
