"""One step of MiniLM on short texts: with and without what makes it faster, alone and beside busy neighbours.

    python benchmarks/steps.py
    python benchmarks/steps.py --neighbours 4

Models with other settings of --speedups take steps on the same batches in turn, in a process for each way of waiting.
Printed are medians, and medians of the ratios to the default within a turn. A neighbour is a process that keeps one
core busy; it ends with the benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

TEXTS, TOKENS = 16, 23
"""Texts of a batch, and tokens of each."""

WARM_UP_STEPS = 2

WAYS = {
    "as chosen": {},
    "threads sleep": {"GOMP_SPINCOUNT": "0"},
    "threads spin": {"GOMP_SPINCOUNT": "300000"},  # the default of OpenMP
    "one thread": {"OMP_NUM_THREADS": "1"},
}
"""Name → the environment."""

SPEEDUPS = ("all", "embeddings", "dropout", "none")


def main() -> None:
    """Print the time of a step for every way of waiting and every setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neighbours", type=int, default=0)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(_measure(arguments.steps)))
        return
    for way, environment in WAYS.items():
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.neighbours)]
        try:
            command = [sys.executable, __file__, "--measure", "--steps", str(arguments.steps)]
            done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
        finally:
            for each in busy:
                each.kill()
        times = {name: np.array(own) for name, own in json.loads(done.stdout.splitlines()[-1]).items()}
        for name, own in times.items():
            ratio = np.median(own / times[SPEEDUPS[0]])
            print(f"{way:15} --speedups {name:11} {np.median(own):7.0f} ms   {ratio:.2f} times as long", flush=True)


def _measure(steps: int) -> dict[str, list[float]]:
    """Return the milliseconds of every step, by the setting."""
    from homeground.checkpoint import open_checkpoint
    from homeground.engines import open_engine
    from homeground.recipe.sections import TrainingSettings

    models: dict[str, Any] = {}
    for name in SPEEDUPS:
        settings: Any = {"speedups": name}
        models[name] = open_engine("torch").open_model(
            open_checkpoint("minilm"),
            head="sequence_classification",
            loss="cross_entropy",
            labels=["a", "b"],
            training=TrainingSettings(**settings),
        )
    random = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in models}
    for step in range(steps + WARM_UP_STEPS):
        # Words as frequent as those of a language are (Zipf).
        ids = np.minimum(random.zipf(1.3, size=(TEXTS, TOKENS)) + 1000, 30_000).astype(np.int64)
        targets = np.eye(2, dtype=np.float32)[random.integers(0, 2, TEXTS)]
        batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "targets": targets}
        for name, model in models.items():
            began = time.perf_counter()
            model.train_step(batch, float(TEXTS), 5e-5, step)
            times[name].append(1000 * (time.perf_counter() - began))
    return {name: own[WARM_UP_STEPS:] for name, own in times.items()}


if __name__ == "__main__":
    main()
