"""Masked language modelling at DistilBERT's size: this loop beside transformers' Trainer with its defaults.

    python benchmarks/mlm_speed.py examples/complaints.csv [--text complaint] [--steps 6] [--rounds 3]

Both learn from the same text in blocks of 128 tokens, batch 16, 15% masked by 80/10/10; random weights, so that nothing
needs to be fetched. Every measurement runs in a process of its own, in turns, which also gives its peak of memory.
Timings are ratios within a run: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BATCH, LENGTH = 16, 128
CANDIDATES = ("homeground", "homeground, fp32", "Trainer")


def build(folder: Path) -> None:
    """Write a model of DistilBERT's size with random weights, and a tokenizer of its vocabulary."""
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertForMaskedLM

    from homeground.checkpoint import open_checkpoint

    DistilBertForMaskedLM(DistilBertConfig()).save_pretrained(folder)
    AutoTokenizer.from_pretrained(open_checkpoint("minilm").folder).save_pretrained(folder)


def ours(folder: Path, data: Path, steps: int, precision: str) -> float:
    """Return the tokens learned from in a second by this library's loop."""
    from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
    from homeground.data.corpus import read_file
    from homeground.engines import open_engine
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks import choose_task
    from homeground.training.batching import epoch_batches

    recipe = make_recipe({}, data=str(data), task="mlm", batch_size=BATCH, precision=precision)
    checkpoint = open_checkpoint(str(folder))
    table = read_file(str(data), recipe)
    task = choose_task(table, recipe).settled({}, checkpoint)
    tokenizer = load_tokenizer(checkpoint, max_length=LENGTH)
    rows = task.tokenize(task.read(table).examples, tokenizer, padding_id(checkpoint, tokenizer))
    model = open_engine("torch").open_model(checkpoint, head=task.head, loss=task.loss, training=recipe.training)
    batches = epoch_batches(rows.lengths("training"), BATCH, seed=0, epoch=0, group_by_length=False)

    def learn(step: int) -> None:
        batch, denominator = task.collate(rows, batches[step % (len(batches) - 1)], "training")
        model.train_step(batch, denominator, 5e-5, step)

    learn(0)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        learn(step)
    return steps * BATCH * LENGTH / (time.perf_counter() - began)


def theirs(folder: Path, data: Path, steps: int) -> float:
    """Return the tokens learned from in a second by transformers' Trainer."""
    from datasets import Dataset
    from transformers import (
        AutoModelForMaskedLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class Clock(TrainerCallback):
        """Starts after the first step, as for the other loop."""

        began = 0.0

        def on_step_end(self, _arguments, state, _control, **_):
            """Note when the first step is over."""
            if state.global_step == 1:
                self.began = time.perf_counter()

    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = json.loads(data.read_text().splitlines()[0])["text"]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    room = LENGTH - 2
    blocks = [
        [tokenizer.cls_token_id, *ids[start : start + room], tokenizer.sep_token_id]
        for start in range(0, len(ids) - room, room)
    ]
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, per_device_train_batch_size=BATCH, max_steps=steps + 1, save_strategy="no",
            report_to="none", disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(
            model=AutoModelForMaskedLM.from_pretrained(folder),
            args=arguments,
            train_dataset=Dataset.from_dict({"input_ids": blocks}),
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
            callbacks=[clock],
        )
        trainer.train()
        return steps * BATCH * LENGTH / (time.perf_counter() - clock.began)


def measure(name: str, folder: Path, data: Path, steps: int) -> None:
    """Print the speed and the peak of memory of one candidate as JSON."""
    if name == "Trainer":
        speed = theirs(folder, data, steps)
    else:
        speed = ours(folder, data, steps, "fp32" if name.endswith("fp32") else "auto")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"speed": speed, "peak": peak}))


def one_long_text(source: str, column: str | None, target: Path, *, tokens: int) -> None:
    """Write all texts of a file as one document, over and over until it is long enough."""
    from homeground.data.corpus import read_file
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks.mlm.mlm import find_text

    recipe = make_recipe({}, data=source, task="mlm", text=column)
    table = read_file(source, recipe)
    column = find_text(table, recipe)["text"]
    text = " ".join(str(row.values[column]) for row in table.rows)
    target.write_text(json.dumps({"text": " ".join([text] * (1 + 6 * tokens // len(text)))}) + "\n")


def main() -> None:
    """Interleave the candidates and print the median speed of each, its peak of memory, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--candidate", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.candidate:
        name, folder = asked.candidate
        measure(name, Path(folder), Path(asked.data), asked.steps)
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CANDIDATES}
    with tempfile.TemporaryDirectory() as place:
        folder, data = Path(place) / "model", Path(place) / "text.jsonl"
        build(folder)
        one_long_text(asked.data, asked.text, data, tokens=(asked.steps + 3) * BATCH * LENGTH)
        for _ in range(asked.rounds):
            for name in CANDIDATES:
                command = [sys.executable, __file__, str(data), "--steps", str(asked.steps), "--candidate", name]
                done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=True)
                found[name].append(json.loads(done.stdout.splitlines()[-1]))
    speed = {name: float(np.median([each["speed"] for each in runs])) for name, runs in found.items()}
    peak = {name: float(np.median([each["peak"] for each in runs])) for name, runs in found.items()}
    for name in CANDIDATES:
        faster, smaller = speed[name] / speed["Trainer"], peak[name] / peak["Trainer"]
        print(f"{name:18} {speed[name]:7.0f} tokens/s, {faster:.2f} times   {peak[name]:6.0f} MiB, {smaller:.2f} times")


if __name__ == "__main__":
    main()
