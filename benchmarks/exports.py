"""What exports of MiniLM are worth: their scores beside the model's, and the processor time of a text beside torch's.

    OMP_NUM_THREADS=1 python benchmarks/exports.py DATA [--task TASK] [--out FOLDER]

DATA is a file of labelled texts or of scored pairs, of which half is the test. MiniLM is adapted to the rest for one
epoch (once: the same call goes on with the run in FOLDER), exported in every way, whatever it scores, and all models
predict the same texts in turn. Processor time is compared, not the clock's, so that other processes matter less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import homeground
from homeground.data.tables import read_table
from homeground.inference.loading import EXPORT_NAMES

TIMED_ROUNDS = 7
MAX_TEXTS = 512
ANY_LOSS = 1.0
"""A margin with which every export is accepted, to be measured."""


def main() -> None:
    """Print a table of exports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--task")
    parser.add_argument("--out", default="runs/exports")
    arguments = parser.parse_args()
    task = {"task": arguments.task} if arguments.task else {}
    run = homeground.adapt(
        arguments.data,
        checkpoint="minilm",
        epochs=1,
        test=0.5,
        audit=False,
        alternatives=False,
        out=arguments.out,
        **task,
    )
    records: dict[str, dict[str, Any]] = {}
    for name in EXPORT_NAMES:
        kind, _, precision = name.partition("-")
        records[name] = homeground.export(
            run, format=kind, int8=precision == "int8", bf16=precision == "bf16", margin=ANY_LOSS
        )
    table = read_table(arguments.data)
    column = next(name for name in ("text", "text_1") if name in table.columns)
    texts = [str(row.values[column]) for row, _ in zip(table.rows, range(MAX_TEXTS), strict=False)]
    models = {name: homeground.load(run, engine=name) for name in ("torch", *EXPORT_NAMES)}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for each in range(TIMED_ROUNDS + 1):
        for name, model in models.items():
            began = time.process_time()
            model.figures(texts)
            if each:  # the first of each is slower
                seconds[name].append(time.process_time() - began)
    print("| export | texts per second of processor time | against torch | score | difference | equal predictions |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in models:
        ratio = statistics.median(own / other for own, other in zip(seconds["torch"], seconds[name], strict=True))
        rate = len(texts) / statistics.median(seconds[name])
        record = records.get(name)
        if record is None:
            print(f"| torch, fp32 | {rate:.0f} | 1.00 | {run.after:.4f} | | |")
            continue
        difference, equal = record["difference"], record["parity"]["equal"]
        share = "–" if equal is None else f"{equal:.2%}"
        print(
            f"| {name} | {rate:.0f} | {ratio:.2f} | {record['after']:.4f} | {difference['value']:+.4f} "
            f"({difference['low']:+.4f} to {difference['high']:+.4f}) | {share} |"
        )


if __name__ == "__main__":
    main()
