"""Training speed on the built-in taxonomy: this loop beside sentence-transformers' trainer, interleaved in one run.

    pip install 'sentence-transformers[train]'
    python benchmarks/training_speed.py [--rounds 3] [--steps 40]

Both learn from the same pairs, batch 32, with MiniLM and a mean squared error; sentence-transformers with its defaults.
Timings are ratios within a run: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import CosineSimilarityLoss

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.examples import Example
from homeground.engines import open_engine
from homeground.recipe.recipe import make_recipe
from homeground.recipe.sections import Encoder
from homeground.tasks.similarity import Similarity
from homeground.taxonomy.draws import ScoredPair, draw_pairs
from homeground.training.batching import epoch_batches
from homeground.workflows.demo import PAIRING, read_occupations

BATCH = 32


def ours(pairs: list[ScoredPair], steps: int, precision: str) -> float:
    """Return the pairs learned from in a second by this library's loop."""
    checkpoint = open_checkpoint("minilm")
    tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length)
    task = Similarity({"text_1": "a", "text_2": "b", "similarity": "c"}, "angular_mse", "pearson")
    examples = [Example(i, (pair.text_1, pair.text_2), pair.similarity) for i, pair in enumerate(pairs)]
    rows = task.tokenize(examples, tokenizer, padding_id(checkpoint, tokenizer))
    training = make_recipe({}, data="-", batch_size=BATCH, precision=precision).training
    model = open_engine("torch").open_model(
        checkpoint, head="encoder", loss="angular_mse", encoder=Encoder(), training=training
    )
    batches = epoch_batches(rows.lengths("training"), BATCH, seed=0, epoch=0, group_by_length=True)
    batch, denominator = task.collate(rows, batches[0], "training")
    model.train_step(batch, denominator, 1e-5, 0)
    began = time.perf_counter()
    for step, items in enumerate(batches[1 : steps + 1]):
        batch, denominator = task.collate(rows, items, "training")
        model.train_step(batch, denominator, 1e-5, step + 1)
    return steps * BATCH / (time.perf_counter() - began)


def theirs(pairs: list[ScoredPair], steps: int) -> float:
    """Return the pairs learned from in a second by sentence-transformers' trainer."""
    model = SentenceTransformer(str(open_checkpoint("minilm").folder))
    data = Dataset.from_dict(
        {
            "sentence1": [pair.text_1 for pair in pairs],
            "sentence2": [pair.text_2 for pair in pairs],
            "score": [pair.similarity for pair in pairs],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=BATCH,
            max_steps=steps,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=data, loss=CosineSimilarityLoss(model)
        )
        began = time.perf_counter()
        trainer.train()
        return steps * BATCH / (time.perf_counter() - began)


def main() -> None:
    """Interleave the candidates and print the median speed of each, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    taxonomy = read_occupations()
    pairs = draw_pairs(taxonomy, taxonomy.concepts, PAIRING, seed=0).pairs
    speeds: dict[str, list[float]] = {"homeground": [], "homeground, fp32": [], "sentence-transformers": []}
    for _ in range(arguments.rounds):
        speeds["homeground"].append(ours(pairs, arguments.steps, "auto"))
        speeds["homeground, fp32"].append(ours(pairs, arguments.steps, "fp32"))
        speeds["sentence-transformers"].append(theirs(pairs, arguments.steps))
    reference = float(np.median(speeds["sentence-transformers"]))
    for name, measured in speeds.items():
        median = float(np.median(measured))
        print(f"{name:24} {median:7.1f} pairs/s   {median / reference:.2f} times sentence-transformers")


if __name__ == "__main__":
    main()
