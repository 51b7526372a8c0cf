"""Training speed of a classifier: this loop beside transformers' Trainer as tutorials use it, interleaved in one run.

    python benchmarks/classification_speed.py examples/complaints.csv [--text headline --label is_sarcastic]

Both learn from the same texts, batch 16, with MiniLM and plain AdamW; the Trainer pads every text to 128 tokens, as the
tutorials' tokenization does, and is shown with padding to the longest of the batch as well. Timings are ratios within a
run: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.corpus import read_file
from homeground.data.examples import Example
from homeground.engines import open_engine
from homeground.recipe.recipe import make_recipe
from homeground.tasks import choose_task
from homeground.tasks.task import Task
from homeground.training.batching import epoch_batches

BATCH = 16
LONGEST = 128


def ours(task: Task, examples: list[Example], steps: int, precision: str) -> float:
    """Return the texts learned from in a second by this library's loop."""
    checkpoint = open_checkpoint("minilm")
    tokenizer = load_tokenizer(checkpoint, max_length=LONGEST)
    rows = task.tokenize(examples, tokenizer, padding_id(checkpoint, tokenizer))
    training = make_recipe({}, data="-", batch_size=BATCH, precision=precision).training
    model = open_engine("torch").open_model(
        checkpoint, head=task.head, loss=task.loss, labels=task.labels, training=training
    )
    batches = epoch_batches(rows.lengths("training"), BATCH, seed=0, epoch=0, group_by_length=True)

    def learn(step: int) -> None:
        batch, denominator = task.collate(rows, batches[step % len(batches)], "training")
        model.train_step(batch, denominator, 5e-5, step)

    return _rate(learn, steps)


def theirs(task: Task, examples: list[Example], steps: int, *, padding: bool | str) -> float:
    """Return the texts learned from in a second by transformers' Trainer."""
    folder = str(open_checkpoint("minilm").folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(task.labels))
    texts = [example.texts[0] for example in examples]
    encoded: Any = tokenizer(texts, padding=padding, truncation=True, max_length=LONGEST)
    places = {label: place for place, label in enumerate(task.labels)}
    labels = [places[(example.labels or ("",))[0]] for example in examples]
    data = Dataset.from_dict({**encoded, "labels": labels})
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            per_device_train_batch_size=BATCH,
            max_steps=steps,
            learning_rate=5e-5,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model, args=arguments, train_dataset=data, data_collator=DataCollatorWithPadding(tokenizer)
        )
        began = time.perf_counter()
        trainer.train()
        return steps * BATCH / (time.perf_counter() - began)


def _rate(learn: Callable[[int], None], steps: int) -> float:
    learn(0)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        learn(step)
    return steps * BATCH / (time.perf_counter() - began)


def main() -> None:
    """Interleave the candidates and print the median speed of each, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--text")
    parser.add_argument("--label")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    asked = parser.parse_args()
    recipe = make_recipe({}, data=asked.data, task="classification", text=asked.text, label=asked.label)
    table = read_file(asked.data, recipe)
    task = choose_task(table, recipe)
    examples = task.read(table).examples
    task = task.settled({"train": examples, "validation": [], "test": []}, None)
    candidates: dict[str, Callable[[], float]] = {
        "homeground": lambda: ours(task, examples, asked.steps, "auto"),
        "homeground, fp32": lambda: ours(task, examples, asked.steps, "fp32"),
        "Trainer, padded to 128": lambda: theirs(task, examples, asked.steps, padding="max_length"),
        "Trainer, padded by batch": lambda: theirs(task, examples, asked.steps, padding=False),
    }
    speeds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(asked.rounds):
        for name, measure in candidates.items():
            speeds[name].append(measure())
    reference = float(np.median(speeds["Trainer, padded to 128"]))
    for name, measured in speeds.items():
        median = float(np.median(measured))
        print(f"{name:26} {median:7.1f} texts/s   {median / reference:.2f} times the Trainer padding to 128")


if __name__ == "__main__":
    main()
