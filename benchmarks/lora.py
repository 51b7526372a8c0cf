"""What LoRA and frozen layers cost and give, beside training all weights: time, memory and score.

    python benchmarks/lora.py speed DATA [--text headline --label is_sarcastic] [--rounds 5] [--steps 20]
    python benchmarks/lora.py score DATA [--text headline --label is_sarcastic] [--rows 3000] [--out runs/lora]

DATA is JSON Lines with a text and a label a line, of which the first --rows are read. All ways start from MiniLM.

speed: a step of 16 texts and the peak of memory, each measurement in a process of its own without its first steps, the
ways interleaved; medians, and the ratio to all weights within a round. The time is that of the cores (user and system),
which neighbours on the machine change little; only ratios mean something.

score: one run a way, from the same fitted head, with its default learning rate unless its name says otherwise; a third
of the texts is the test. The difference to all weights is paired over its texts, with its interval; there is one
training each, so it does not cover the variance of these.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

WAYS: dict[str, dict[str, Any]] = {
    "all weights": {},
    "--lora r=16": {"lora": "r=16"},
    "--freeze 3": {"freeze": 3},
    "--freeze embeddings": {"freeze": "embeddings"},
    "--lora r=16,targets=query+value": {"lora": "r=16,targets=query+value"},
}
SCORED: dict[str, dict[str, Any]] = {
    **WAYS,
    "--lora r=16, rate 5e-5": {"lora": "r=16", "learning_rate": 5e-5},
    "--lora r=16, rate 2e-3": {"lora": "r=16", "learning_rate": 2e-3},
    "all weights, rate 2e-4": {"learning_rate": 2e-4},
}
BATCH_SIZE, UNTIMED_STEPS, TEST_SHARE, DRAWS = 16, 3, 1 / 3, 10_000
KIB_PER_MB = 1e6 / 1024


def read(arguments: argparse.Namespace) -> list[dict[str, str]]:
    """Return the rows of a file as texts with labels."""
    lines = arguments.data.read_text(encoding="utf-8").splitlines()[: arguments.rows]
    examples = [json.loads(line) for line in lines]
    return [{"text": each[arguments.text], "label": str(each[arguments.label])} for each in examples]


def measure(arguments: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds of the cores for a step, and the peak of memory in MB."""
    from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
    from homeground.data.corpus import read_file
    from homeground.data.tokens.tokenized import TextTokens
    from homeground.engines import open_engine
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks import choose_task
    from homeground.training.batching import epoch_batches

    columns = {"text": arguments.text, "label": arguments.label}
    recipe = make_recipe({}, data=str(arguments.data), batch_size=BATCH_SIZE, **columns, **WAYS[arguments.way])
    checkpoint, table = open_checkpoint("minilm"), read_file(str(arguments.data), recipe)
    spec = choose_task(table, recipe)
    examples = spec.read(table).examples[: arguments.rows]
    task = spec.with_splits({"train": examples, "validation": [], "test": []}, checkpoint)
    tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length)
    texts = task.tokenize(examples, TextTokens(tokenizer, padding_id(checkpoint, tokenizer)))
    model = open_engine("torch").open_model(
        checkpoint, head=task.info.head, loss=task.info.loss, labels=task.labels, training=recipe.training
    )
    batches = epoch_batches(texts.lengths("training"), BATCH_SIZE, seed=0, epoch=0, group_by_length=True)
    began, steps = 0.0, arguments.steps
    for step in range(UNTIMED_STEPS + steps):
        if step == UNTIMED_STEPS:
            began = time.process_time()
        batch, denominator = task.collate(texts, batches[step % len(batches)], "training")
        model.train_step(batch, denominator, 1e-5, step)
    seconds = (time.process_time() - began) / steps
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MB


def speed(arguments: argparse.Namespace) -> None:
    """Measure all ways in turn, round by round, and print the table."""
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for number in range(arguments.rounds):
        for way in WAYS if number % 2 == 0 else reversed(WAYS):
            command = [sys.executable, *sys.argv, "--way", way]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, megabytes = map(float, done.stdout.split()[-2:])
            taken[way].append((seconds, megabytes))
    reference = [seconds for seconds, _ in taken["all weights"]]
    print("| way | core ms a step | time, of all weights | peak memory, MB |\n|---|---|---|---|")
    for way, values in taken.items():
        ratios = [seconds / whole for (seconds, _), whole in zip(values, reference, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        middle, memory = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"| {way} | {1000 * middle:.0f} | {spread} | {memory:.0f} |")


def right(folder: Path) -> np.ndarray:
    """Return for each test text of a run whether its label was predicted."""
    lines = map(json.loads, (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines())
    return np.array([line["after"]["label"] == line["label"] for line in lines], float)


def paired(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Return the difference of two means over the same texts, and the ends of its bootstrap interval (95%)."""
    differences, random = second - first, np.random.default_rng(0)
    means = [random.choice(differences, len(differences)).mean() for _ in range(DRAWS)]
    return float(differences.mean()), *(float(end) for end in np.percentile(means, (2.5, 97.5)))


def score(arguments: argparse.Namespace) -> None:
    """Make the runs that are missing, and print the table."""
    import homeground

    rows = read(arguments)
    first: Any = None
    print(
        "| way | parameters trained | accuracy | minus all weights (95%) | minutes |\n|---|---|---|---|---|", flush=True
    )
    for way, settings in SCORED.items():
        out = arguments.out / re.sub(r"\W+", "-", way).strip("-")
        run = homeground.adapt(
            rows, test=TEST_SHARE, cross_fit=0, audit=False, alternatives=False, quiet=True, out=str(out), **settings
        )
        first = first or run
        difference, record = "", run.scores["training"]
        if run is not first:
            difference = "{:+.3f} ({:+.3f} to {:+.3f})".format(*paired(right(first.folder), right(run.folder)))
        trained, minutes = f"{record['trained_parameters']:,}", record["seconds"] / 60
        print(f"| {way} | {trained} | {run.after:.3f} | {difference} | {minutes:.1f} |", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "score"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/lora"))
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(*measure(arguments))
    elif arguments.what == "score":
        score(arguments)
    else:
        speed(arguments)


if __name__ == "__main__":
    main()
