"""The two engines on the same recipe: scores, their paired difference, time to the first step, step time, memory, size.

    make VENV=.venv-keras .venv-keras/.installed-keras
    .venv-keras/bin/python benchmarks/engines.py DATA [--only sarcasm esco wnut17] [--out runs/engines] [--rounds 3]

DATA holds the data sets as published: sarcasm-headlines/sarcasm.jsonl, esco/training_pairs.csv and wnut17/. Each is
adapted to with MiniLM once with every engine, by the command a user gives; a finished run is only read. The paired
difference is that of `homeground compare RUN RUN`. Steps are timed in processes of their own, the engines in turn, on
the batches of the recipe; peaks of memory are those processes', of whole runs in brackets. Two tables are printed in
Markdown. Only ratios within a run are meaningful: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

ENGINES = ("torch", "keras")
STEPS_TIMED = 40

TUTORIAL_PAIRS = {
    "loss": "angular_mse", "optimizer": "adam", "learning_rate": 1e-5, "adam_beta2": 0.9999,
    "max_grad_norm": None, "max_grad_norm_per_weight": 1.0, "schedule": "constant", "warmup_ratio": 0.0,
    "weight_decay": 0.0, "epochs": 30, "patience": 3, "batch_size": 32,
}  # fmt: skip
"""The settings of the tutorial on pairs from a job taxonomy; here with fewer epochs and shorter texts."""

CASES: dict[str, dict[str, Any]] = {
    "sarcasm": {
        "data": "sarcasm-headlines/sarcasm.jsonl", "task": "classification", "text": "headline",
        "label": "is_sarcastic", "epochs": 2, "batch_size": 16, "max_length": 64,
    },
    "esco": {
        "data": "esco/training_pairs.csv", "text_1": "base", "text_2": "ref", "similarity": "similarity",
        **TUTORIAL_PAIRS,
        "epochs": 3,
        "max_length": 32,
    },
    "wnut17": {
        "data": "wnut17/wnut17train.conll", "format": "conll", "validation": "wnut17/emerging.dev.conll",
        "test": "wnut17/emerging.test.annotated",
        "epochs": 2,
    },
}  # fmt: skip
FILES = ("data", "validation", "test")

PACKAGES = {"torch": ("torch", "transformers"), "keras": ("tensorflow-cpu", "tensorflow", "keras", "h5py", "ml-dtypes")}
"""What an engine adds to the rest; of the two builds of TensorFlow one is installed."""


def settings_of(case: str, data: Path) -> dict[str, Any]:
    """Return the settings of a case, its files under ``data``."""
    settings = {"checkpoint": "minilm", **CASES[case]}
    return {**settings, **{name: str(data / settings[name]) for name in FILES if name in settings}}


def adapt(case: str, engine: str, data: Path, out: Path) -> dict[str, float]:
    """Carry out one run unless it is finished; return its wall time and the peak of its memory."""
    figures, code = (
        out / f"{case}-{engine}.json",
        "import json, sys, homeground; homeground.adapt(**json.loads(sys.argv[1]))",
    )
    if not figures.is_file():
        settings = {**settings_of(case, data), "engine": engine, "out": str(out / f"{case}-{engine}"), "quiet": True}
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, json.dumps(settings)])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{case} with {engine} ended with status {status}")
        figures.write_text(json.dumps({"seconds": time.monotonic() - began, "peak_mb": usage.ru_maxrss / 1024}))
    return json.loads(figures.read_text())


def time_steps(case: str, engine: str, data: Path) -> None:
    """Print the seconds to the first step, of a step after it, and the peak of memory: what runs in the child."""
    import homeground.experiment.setup as setups
    from homeground.experiment.training_run import open_model
    from homeground.recipe.recipe import make_recipe
    from homeground.training.batching import epoch_batches

    recipe = make_recipe({}, **settings_of(case, data), engine=engine)
    setup = setups.prepare(recipe, tokenize_at_most=2000)
    rows, size = setup.splits.kept.train.rows, setup.recipe.training.batch_size
    batches = epoch_batches(rows.lengths("training"), size, seed=0, epoch=0, group_by_length=True)
    began = time.monotonic()
    model = open_model(setup, to_train=setup.recipe)
    seconds = []
    for step in range(STEPS_TIMED + 1):
        batch, denominator = setup.task.collate(rows, batches[step % len(batches)], "training", epoch=0, seed=0)
        start = time.monotonic() if step else began
        model.train_step(batch, denominator, 1e-5, step)
        seconds.append(time.monotonic() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds[0], float(np.median(seconds[1:])), peak]))


def installed_mb(engine: str) -> float:
    """Return the size of the libraries of an engine on the disk."""
    total = 0
    for name in PACKAGES[engine]:
        try:
            files = distribution(name).files or []
        except ModuleNotFoundError:
            continue
        total += sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
    return total / 1e6


def main() -> None:
    """Run what is missing and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--out", type=Path, default=Path("runs/engines"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        time_steps(*arguments.child, arguments.data)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    whole = {(case, engine): adapt(case, engine, arguments.data, arguments.out)
             for case in arguments.only for engine in ENGINES}  # fmt: skip
    print_scores(arguments.only, arguments.out)
    timed: dict[tuple[str, str], list[list[float]]] = {key: [] for key in whole}
    for _ in range(arguments.rounds):
        for case, engine in timed:
            command = [sys.executable, __file__, str(arguments.data), "--child", case, engine]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            timed[case, engine].append(json.loads(done.stdout.splitlines()[-1]))
    print_times(arguments.only, timed, whole)


def print_scores(cases: list[str], out: Path) -> None:
    """Print what each engine scores, and their paired difference."""
    import homeground

    print("| data | metric | before | torch | keras | keras minus torch |\n|---|---|---:|---:|---:|---:|")
    for case in cases:
        folders = [out / f"{case}-{engine}" for engine in ENGINES]
        runs = [homeground.Run(folder) for folder in folders]
        difference = homeground.compare(*folders)["difference"]
        values = " | ".join(f"{run.after:.3f}" for run in runs)
        ends = f"({difference['low']:+.3f} to {difference['high']:+.3f})" if difference.get("low") is not None else ""
        metric = runs[0].scores["primary_metric"]
        print(f"| {case} | {metric} | {runs[0].before:.3f} | {values} | {difference['value']:+.3f} {ends} |")


def print_times(
    cases: list[str], timed: dict[tuple[str, str], list[list[float]]], whole: dict[tuple[str, str], dict[str, float]]
) -> None:
    """Print the medians of the times and the peaks of memory."""
    sizes = {engine: installed_mb(engine) for engine in ENGINES}
    print("\n| data | engine | to the first step | a step | ratio | peak memory | libraries |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for case in cases:
        medians = {engine: np.median(timed[case, engine], axis=0) for engine in ENGINES}
        for engine, (first, step, peak) in medians.items():
            ratio = step / medians[ENGINES[0]][1]
            print(
                f"| {case} | {engine} | {first:.1f} s | {step * 1000:.0f} ms | {ratio:.2f} | {peak:,.0f} MB "
                f"({whole[case, engine]['peak_mb']:,.0f}) | {sizes[engine]:,.0f} MB |"
            )


if __name__ == "__main__":
    main()
