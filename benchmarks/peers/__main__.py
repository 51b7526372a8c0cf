"""Speed beside that of other libraries: the same data, model and machine, interleaved runs, and what each has learned.

    python -m benchmarks.peers                          the whole table, on the files of this repository
    python -m benchmarks.peers classification prediction --texts 10000 \
        --data sarcasm.jsonl --text headline --label is_sarcastic

Every measurement runs in a process of its own, which also gives its peak of memory; the first step is not timed. A
training has so many steps, then all candidates are measured in one way on the same held-out examples; where ours is
worse beyond chance (paired bootstrap, 95%) the row says so and does not count. Of predictions it is counted whether
they are the same. Only the ratios within a run are meaningful: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers import data, predictions, trainings
from benchmarks.peers.page import compared, render

ROUNDS = 3

ENVIRONMENT = dict(os.environ)
"""That of every candidate: preparing a row sets how the threads of this process wait, which the peers do not."""


@dataclass(frozen=True)
class Comparison:
    """One kind of work: its file, what is prepared, and the candidates, of which the first is ours."""

    title: str
    noun: str
    """What a speed counts."""
    count: int
    """How many of them a step has."""
    steps: int
    """Steps that are timed; 0 for predictions, which have as many texts as are asked for."""
    file: str
    prepare: Callable[[Path, data.Source], None]
    candidates: dict[str, Any]


COMPLAINTS, REPORTS = str(data.ROOT / "examples/complaints.csv"), str(data.ROOT / "examples/fault_reports.jsonl")


def _trainings(task: str, peer: dict[str, Any], **settings: Any) -> dict[str, Any]:
    ours = {
        "Homeground": trainings.ours(task, **settings),
        "Homeground, --speedups none": trainings.ours(task, speedups="none", **settings),
    }
    return ours | peer


def _trainers(task: str, default: str, padding: bool | str, **flags: Any) -> dict[str, Any]:
    return _trainings(
        task,
        {
            f"Trainer, {default}": trainings.trainer(task, padding=padding),
            "Trainer, best flags": trainings.trainer(task, **trainings.best_flags(**flags)),
        },
    )


BY_LENGTH = {"train_sampling_strategy": "group_by_length"}

COMPARISONS = {
    "mlm": Comparison(
        "Masked words, DistilBERT's size, 16 x 128 tokens", "tokens", 16 * 128, 3, COMPLAINTS, data.plain_texts,
        _trainers("mlm", "defaults", padding=False),
    ),
    "classification": Comparison(
        "Classification, MiniLM, batches of 16", "texts", 16, 40, COMPLAINTS, data.labelled_texts,
        _trainers("classification", "padded to 128", padding="max_length", **BY_LENGTH)
        | {"Keras fit, padded to the longest": trainings.keras_fit},
    ),
    "similarity": Comparison(
        "Scored pairs, MiniLM, batches of 32", "pairs", 32, 40, "", data.scored_pairs,
        _trainings(
            "similarity",
            {
                "sentence-transformers, defaults": trainings.sentence_transformers(),
                "sentence-transformers, best flags": trainings.sentence_transformers(**trainings.best_flags()),
            },
            loss="cosine_mse",  # that of the peer
        ),
    ),
    "token-classification": Comparison(
        "Entities, MiniLM, batches of 16", "texts", 16, 40, REPORTS, data.tagged_texts,
        _trainers("token-classification", "padded to 128", padding="max_length", **BY_LENGTH),
    ),
    "prediction": Comparison(
        "Labels of {:,} texts, from file to file", "texts", 0, 0, COMPLAINTS,
        data.many_texts,
        {
            "Homeground": predictions.ours("torch"),
            "Homeground, OpenVINO": predictions.ours("openvino"),
            "Homeground, OpenVINO bf16": predictions.ours("openvino-bf16"),
            "Homeground, OpenVINO int8": predictions.ours("openvino-int8"),
            "pipeline, defaults": predictions.pipeline(None),
            "pipeline, batches of 32": predictions.pipeline(32),
        },
    ),
    "embeddings": Comparison(
        "Embeddings of {:,} texts, MiniLM", "texts", 0, 0, COMPLAINTS, data.many_texts,
        {"Homeground": predictions.our_embeddings, "SentenceTransformer.encode": predictions.their_embeddings},
    ),
}  # fmt: skip


def main() -> None:
    """Interleave the candidates of each comparison and write what was measured, as JSON and as a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*COMPARISONS, []], help="which comparisons; default: all")
    parser.add_argument("--data", help="another file of texts")
    parser.add_argument("--text", help="column of its texts")
    parser.add_argument("--label", help="column of its labels")
    parser.add_argument("--texts", type=int, default=data.PREDICTED, help="texts to predict or to embed")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    parser.add_argument("--page", type=Path, help="page whose table and chart are written anew")
    parser.add_argument("--candidate", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.candidate:
        _measure(arguments.names[0], *arguments.candidate, arguments.steps, arguments.texts)
        return
    found: dict[str, Any] = {"machine": _machine(), "rounds": arguments.rounds, "rows": []}
    text = ""
    for name in arguments.names or COMPARISONS:
        found["rows"].append(_compare(name, arguments))
        text = render(found, arguments.page)  # after each, since all take long
        if arguments.json:
            arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(text)


def _compare(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what one comparison measured: of each candidate all speeds, peaks of memory and scores."""
    comparison = COMPARISONS[name]
    steps = comparison.steps and (arguments.steps or comparison.steps)
    runs: dict[str, list[Any]] = {candidate: [] for candidate in comparison.candidates}
    with tempfile.TemporaryDirectory() as folder:
        source = data.Source(arguments.data or comparison.file, arguments.text, arguments.label, arguments.texts)
        comparison.prepare(Path(folder), source)
        for number in range(arguments.rounds):
            for candidate, own in runs.items():
                command = [sys.executable, "-m", "benchmarks.peers", name, "--steps", str(steps)]
                command += ["--texts", str(arguments.texts), "--candidate", candidate, folder]
                done = subprocess.run(
                    command, cwd=data.ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    raise SystemExit(f"{name}, {candidate}: {done.stderr[-2000:]}")
                own.append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{name}, round {number + 1}, {candidate}: {own[-1]['speed']:.1f}/s", file=sys.stderr, flush=True)
    ours = next(iter(runs.values()))[0]["results"]
    return {
        "name": name,
        "title": comparison.title.format(arguments.texts),
        "noun": comparison.noun,
        "steps": steps,
        "candidates": [
            {
                "name": candidate,
                "speeds": [each["speed"] for each in own],
                "peaks_mib": [each["peak_mib"] for each in own],
                **compared(ours, own[0]["results"], predicted=steps == 0),
            }
            for candidate, own in runs.items()
        ],
    }


def _measure(name: str, candidate: str, folder: str, steps: int, texts: int) -> None:
    """Print the speed, the peak of memory and the results of one candidate."""
    comparison = COMPARISONS[name]
    if steps:
        seconds, body = comparison.candidates[candidate](Path(folder), steps)
        peak = _peak_mib()
        results: list[Any] = trainings.scores(name, body, Path(folder))
    else:
        seconds, results = comparison.candidates[candidate](Path(folder))
        peak = _peak_mib()
    count = steps * comparison.count or texts
    print(json.dumps({"speed": count / seconds, "peak_mib": peak, "results": results}))


def _peak_mib() -> float:
    """Return the most memory of this process; that of getrusage would include what its parent had when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _machine() -> dict[str, Any]:
    """Return what speeds depend on: cores, and the instructions for fast arithmetic that they have."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    fast = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {name}" in flags]
    import torch
    import transformers

    libraries = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    return {"cores": len(os.sched_getaffinity(0)), "instructions": fast, **libraries}


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
