"""Training speed: this loop beside the trainers of other libraries on the same data, interleaved in one run.

    pip install 'sentence-transformers[train]'
    python benchmarks/speed.py similarity
    python benchmarks/speed.py classification examples/complaints.csv [--text headline --label is_sarcastic]
    python benchmarks/speed.py token-classification examples/fault_reports.jsonl [--format conll]
    python benchmarks/speed.py mlm examples/complaints.csv [--text complaint]

similarity: MiniLM on pairs of the built-in taxonomy, batch 32, mean squared error; the peer is the trainer of
sentence-transformers with its defaults. classification: MiniLM, batch 16, at most 128 tokens, plain AdamW; the peer is
transformers' Trainer, which pads every text to 128 tokens as the tutorials do, or to the longest of its batch.
token-classification: the same with a label for the first token of every word, as the script run_ner has it. mlm: a
model of DistilBERT's size with random weights, so that nothing is downloaded, batch 16, blocks of 128 tokens, 15%
masked by 80/10/10; the peer is transformers' Trainer with its defaults.

Every measurement runs in a process of its own, which also gives its peak of memory, and does not time the first step.
Only the ratios within a run are meaningful: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LENGTH = 128
"""Tokens a text is cut to in classification, and tokens of a block in mlm."""


@dataclass(frozen=True)
class Comparison:
    """One task: what is prepared for all candidates, and what measures each of them."""

    noun: str
    """What a speed counts."""
    batch: int
    """Examples of a step."""
    items: int
    """What is counted, per example."""
    steps: int
    """Steps that are timed unless --steps says otherwise."""
    prepare: Callable[[argparse.Namespace, Path], None]
    """Writes data.jsonl, and a checkpoint if it is not minilm, to a folder."""
    candidates: dict[str, Callable[[Path, int], float]]
    """Name → what returns the seconds of so many steps on what the folder holds; the last is the reference."""


# ---- This library ----------------------------------------------------------------------------------------------------


def ours(task_name: str, precision: str = "auto") -> Callable[[Path, int], float]:
    """Return what times steps of this library's loop."""

    def measure(folder: Path, steps: int) -> float:
        from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
        from homeground.data.corpus import read_file
        from homeground.data.tokenized import TextTokens
        from homeground.engines import open_engine
        from homeground.recipe.recipe import make_recipe
        from homeground.tasks import choose_task
        from homeground.training.batching import epoch_batches

        size, data = COMPARISONS[task_name].batch, folder / "data.jsonl"
        recipe = make_recipe({}, data=str(data), task=task_name, batch_size=size, precision=precision)
        checkpoint = open_checkpoint(checkpoint_in(folder))
        table = read_file(str(data), recipe)
        spec = choose_task(table, recipe)
        examples = spec.read(table).examples
        task = spec.with_splits({"train": examples, "validation": [], "test": []}, checkpoint)
        longest = checkpoint.max_length if task_name == "similarity" else LENGTH
        tokenizer = load_tokenizer(checkpoint, max_length=longest)
        rows = task.tokenize(examples, TextTokens(tokenizer, padding_id(checkpoint, tokenizer)))
        model = open_engine("torch").open_model(
            checkpoint, head=task.info.head, loss=task.info.loss, labels=task.labels, training=recipe.training
        )
        batches = epoch_batches(rows.lengths("training"), size, seed=0, epoch=0, group_by_length=task_name != "mlm")
        batches = [items for items in batches if len(items) == size]

        def learn(step: int) -> None:
            batch, denominator = task.collate(rows, batches[step % len(batches)], "training")
            model.train_step(batch, denominator, 5e-5, step)

        learn(0)
        began = time.perf_counter()
        for step in range(1, steps + 1):
            learn(step)
        return time.perf_counter() - began

    return measure


# ---- The peers -------------------------------------------------------------------------------------------------------


def sentence_transformers(folder: Path, steps: int) -> float:
    """Time steps of sentence-transformers' trainer on scored pairs."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import CosineSimilarityLoss

    model = SentenceTransformer(minilm())
    rows = [(row["text_1"], row["text_2"], row["similarity"]) for row in read(folder)]
    data = Dataset.from_dict(dict(zip(("sentence1", "sentence2", "score"), zip(*rows, strict=True), strict=True)))
    made = {"model": model, "train_dataset": data, "loss": CosineSimilarityLoss(model)}
    return timed(SentenceTransformerTrainer, SentenceTransformerTrainingArguments, "similarity", steps, **made)


def classifying(padding: bool | str) -> Callable[[Path, int], float]:
    """Return what times steps of transformers' Trainer on labelled texts."""

    def measure(folder: Path, steps: int) -> float:
        from datasets import Dataset
        from transformers import (
            AutoModelForSequenceClassification,
            AutoTokenizer,
            DataCollatorWithPadding,
            Trainer,
            TrainingArguments,
        )

        rows = read(folder)
        labels = sorted({row["label"] for row in rows})
        tokenizer = AutoTokenizer.from_pretrained(minilm())
        encoded: Any = tokenizer([row["text"] for row in rows], padding=padding, truncation=True, max_length=LENGTH)
        model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=len(labels))
        data = Dataset.from_dict({**encoded, "labels": [labels.index(row["label"]) for row in rows]})
        made = {"model": model, "train_dataset": data, "data_collator": DataCollatorWithPadding(tokenizer)}
        return timed(Trainer, TrainingArguments, "classification", steps, learning_rate=5e-5, **made)

    return measure


def tagging(padding: bool | str) -> Callable[[Path, int], float]:
    """Return what times steps of transformers' Trainer on words with tags, the first token of each word labelled."""

    def measure(folder: Path, steps: int) -> float:
        from datasets import Dataset
        from transformers import (
            AutoModelForTokenClassification,
            AutoTokenizer,
            DataCollatorForTokenClassification,
            Trainer,
            TrainingArguments,
        )

        rows = read(folder)
        names = sorted({tag for row in rows for tag in row["tags"]})
        tokenizer = AutoTokenizer.from_pretrained(minilm())
        encoded: Any = tokenizer(
            [row["tokens"] for row in rows],
            is_split_into_words=True,
            padding=padding,
            truncation=True,
            max_length=LENGTH,
        )
        labels: list[list[int]] = []
        for number, row in enumerate(rows):
            words = encoded.word_ids(number)
            before = [None, *words[:-1]]
            labels.append(
                [
                    -100 if word is None or word == last else names.index(row["tags"][word])
                    for word, last in zip(words, before, strict=True)
                ]
            )
        model = AutoModelForTokenClassification.from_pretrained(minilm(), num_labels=len(names))
        data = Dataset.from_dict({**encoded, "labels": labels})
        made = {"model": model, "train_dataset": data, "data_collator": DataCollatorForTokenClassification(tokenizer)}
        return timed(Trainer, TrainingArguments, "token-classification", steps, learning_rate=5e-5, **made)

    return measure


def masked_words(folder: Path, steps: int) -> float:
    """Time steps of transformers' Trainer on blocks of one long text."""
    from datasets import Dataset
    from transformers import (
        AutoModelForMaskedLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    model, tokenizer = (kind.from_pretrained(folder) for kind in (AutoModelForMaskedLM, AutoTokenizer))
    ids = tokenizer(read(folder)[0]["text"], add_special_tokens=False)["input_ids"]
    room = LENGTH - 2
    starts = range(0, len(ids) - room, room)
    blocks = [[tokenizer.cls_token_id, *ids[start : start + room], tokenizer.sep_token_id] for start in starts]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    made = {"model": model, "train_dataset": Dataset.from_dict({"input_ids": blocks}), "data_collator": collator}
    return timed(Trainer, TrainingArguments, "mlm", steps, **made)


def timed(
    trainer: Any, arguments: Any, task: str, steps: int, learning_rate: float | None = None, **made: Any
) -> float:
    """Return the seconds of so many steps of a Trainer after its first one."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """Starts when the first step is over."""

        began = 0.0

        def on_step_end(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
            """Note the time after the first step."""
            if state.global_step == 1:
                self.began = time.perf_counter()

    clock = Clock()
    chosen = {"output_dir": "", "per_device_train_batch_size": COMPARISONS[task].batch, "max_steps": steps + 1}
    chosen |= {"save_strategy": "no", "report_to": "none", "disable_tqdm": True}
    with tempfile.TemporaryDirectory() as out:
        chosen |= {"output_dir": out} | ({} if learning_rate is None else {"learning_rate": learning_rate})
        trainer(args=arguments(**chosen), callbacks=[clock], **made).train()
    return time.perf_counter() - clock.began


# ---- The data --------------------------------------------------------------------------------------------------------


def taxonomy_pairs(_: argparse.Namespace, folder: Path) -> None:
    """Write the scored pairs of the built-in taxonomy."""
    from homeground.taxonomy.draws import draw_pairs
    from homeground.workflows.demo import PAIRING, read_occupations

    taxonomy = read_occupations()
    pairs = draw_pairs(taxonomy, taxonomy.concepts, PAIRING, seed=0).pairs
    write(folder, [{"text_1": pair.text_1, "text_2": pair.text_2, "similarity": pair.similarity} for pair in pairs])


def labelled_texts(arguments: argparse.Namespace, folder: Path) -> None:
    """Write the labelled texts of a file."""
    write(folder, [{"text": text, "label": label} for text, label in read_texts(arguments, "classification")])


def tagged_texts(arguments: argparse.Namespace, folder: Path) -> None:
    """Write the words of a file of annotations, each with its tag."""
    from homeground.data.corpus import read_file
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks import choose_task
    from homeground.tasks.token_classification.tagged import as_tagged

    if arguments.data is None:
        raise SystemExit("token-classification: give a file with entities, e.g. examples/fault_reports.jsonl")
    recipe = make_recipe({}, data=arguments.data, task="token-classification", format=arguments.format)
    table = read_file(arguments.data, recipe)
    texts = as_tagged(choose_task(table, recipe).read(table).examples)
    words = [[each.texts[0][start:end] for start, end in each.words] for each in texts]
    write(folder, [{"tokens": own, "tags": each.tags} for own, each in zip(words, texts, strict=True)])


def one_long_text(arguments: argparse.Namespace, folder: Path) -> None:
    """Write all texts of a file as one document, repeated until it is long enough, and a model of random weights."""
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertForMaskedLM

    text = " ".join(text for text, _ in read_texts(arguments, "mlm"))
    tokens = (arguments.steps + 3) * COMPARISONS["mlm"].batch * LENGTH
    write(folder, [{"text": " ".join([text] * (1 + 6 * tokens // len(text)))}])
    DistilBertForMaskedLM(DistilBertConfig()).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm()).save_pretrained(folder)


def read_texts(arguments: argparse.Namespace, task_name: str) -> list[tuple[str, str]]:
    """Return the texts of a file with their labels, "" where they have none."""
    from homeground.data.corpus import read_file
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks import choose_task

    if arguments.data is None:
        raise SystemExit(f"{task_name}: give a file with texts, e.g. examples/complaints.csv")
    recipe = make_recipe({}, data=arguments.data, task=task_name, text=arguments.text, label=arguments.label)
    table = read_file(arguments.data, recipe)
    task = choose_task(table, recipe)
    if task_name == "mlm":
        column = task.columns["text"]
        return [(str(row.values[column]), "") for row in table.rows]
    return [(example.texts[0], (example.labels or ("",))[0]) for example in task.read(table).examples]


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows to data.jsonl."""
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of data.jsonl."""
    return [json.loads(line) for line in (folder / "data.jsonl").read_text(encoding="utf-8").splitlines()]


def minilm() -> str:
    """Return the folder of the built-in checkpoint."""
    from homeground.checkpoint import open_checkpoint

    return str(open_checkpoint("minilm").folder)


def checkpoint_in(folder: Path) -> str:
    """Return the checkpoint that was prepared, else minilm."""
    return str(folder) if (folder / "config.json").is_file() else "minilm"


COMPARISONS = {
    "similarity": Comparison(
        "pairs", 32, 1, 40, taxonomy_pairs,
        {
            "homeground": ours("similarity"),
            "homeground, fp32": ours("similarity", "fp32"),
            "sentence-transformers": sentence_transformers,
        },
    ),
    "classification": Comparison(
        "texts", 16, 1, 40, labelled_texts,
        {
            "homeground": ours("classification"),
            "homeground, fp32": ours("classification", "fp32"),
            "Trainer, padded by batch": classifying(padding=False),
            "Trainer, padded to 128": classifying(padding="max_length"),
        },
    ),
    "token-classification": Comparison(
        "texts", 16, 1, 40, tagged_texts,
        {
            "homeground": ours("token-classification"),
            "homeground, fp32": ours("token-classification", "fp32"),
            "Trainer, padded by batch": tagging(padding=False),
            "Trainer, padded to 128": tagging(padding="max_length"),
        },
    ),
    "mlm": Comparison(
        "tokens", 16, LENGTH, 6, one_long_text,
        {"homeground": ours("mlm"), "homeground, fp32": ours("mlm", "fp32"), "Trainer": masked_words},
    ),
}  # fmt: skip


def main() -> None:
    """Interleave the candidates and print the median speed and peak of memory of each, with the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(COMPARISONS))
    parser.add_argument("data", nargs="?", help="file with texts; similarity needs none")
    parser.add_argument("--text", help="column of the texts")
    parser.add_argument("--label", help="column of the labels")
    parser.add_argument("--format", help="format of a file of entities, where its ending does not say it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--candidate", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    comparison = COMPARISONS[arguments.task]
    arguments.steps = arguments.steps or comparison.steps
    if arguments.candidate:
        name, folder = arguments.candidate
        speed = (
            arguments.steps
            * comparison.batch
            * comparison.items
            / comparison.candidates[name](Path(folder), arguments.steps)
        )
        print(json.dumps([speed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
        return
    measured: dict[str, list[list[float]]] = {name: [] for name in comparison.candidates}
    with tempfile.TemporaryDirectory() as folder:
        comparison.prepare(arguments, Path(folder))
        for _ in range(arguments.rounds):
            for name, runs in measured.items():
                command = [
                    sys.executable,
                    __file__,
                    arguments.task,
                    "--steps",
                    str(arguments.steps),
                    "--candidate",
                    name,
                    folder,
                ]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                runs.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {name: np.median(runs, axis=0) for name, runs in measured.items()}
    for name, values in medians.items():
        (speed, peak), reference = values, list(medians)[-1]
        faster, smaller = values / medians[reference]
        print(
            f"{name:24} {speed:8.1f} {comparison.noun}/s, {faster:.2f} times   "
            f"{peak:6.0f} MiB, {smaller:.2f} times {reference}"
        )


if __name__ == "__main__":
    main()
