"""What all candidates of a row learn from, are measured on, or predict: written once, read by each."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

HELD_OUT = 5
"""Every so many rows one is held out, to see what was learned."""

PREDICTED = 4000
"""Texts to be predicted or embedded, where nothing else is asked for."""


@dataclass(frozen=True)
class Source:
    """The file that a row is made of, the columns of its texts and labels, and how many texts are to be predicted."""

    file: str
    text: str | None = None
    label: str | None = None
    predicted: int = PREDICTED


Rows = list[dict[str, Any]]


def write(folder: Path, rows: Rows) -> None:
    """Write rows to learn from and rows that are held out."""
    held_out = [row for number, row in enumerate(rows) if number % HELD_OUT == 0]
    learned = [row for number, row in enumerate(rows) if number % HELD_OUT]
    for name, chosen in (("data", learned), ("held_out", held_out)):
        lines = "".join(json.dumps(row) + "\n" for row in chosen)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


def read(folder: Path, name: str = "data") -> Rows:
    """Return rows that were written."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def minilm() -> str:
    """Return the folder of the built-in checkpoint."""
    from homeground.checkpoint import open_checkpoint

    return str(open_checkpoint("minilm").folder)


def checkpoint_in(folder: Path) -> str:
    """Return the checkpoint that was prepared, else minilm."""
    return str(folder) if (folder / "config.json").is_file() else minilm()


def scored_pairs(folder: Path, _source: Source) -> None:
    """Write the scored pairs of the built-in taxonomy."""
    from homeground.taxonomy.draws import draw_pairs
    from homeground.workflows.demo import PAIRING, read_occupations

    taxonomy = read_occupations()
    pairs = draw_pairs(taxonomy, taxonomy.concepts, PAIRING, seed=0).pairs
    write(folder, [{"text_1": pair.text_1, "text_2": pair.text_2, "similarity": pair.similarity} for pair in pairs])


def labelled_texts(folder: Path, source: Source) -> None:
    """Write the labelled texts of a file."""
    from homeground.data.corpus import read_file
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks import choose_task

    recipe = make_recipe({}, data=source.file, task="classification", text=source.text, label=source.label)
    table = read_file(source.file, recipe)
    examples = choose_task(table, recipe).read(table).examples
    write(folder, [{"text": each.texts[0], "label": (each.labels or ("",))[0]} for each in examples])


def tagged_texts(folder: Path, source: Source) -> None:
    """Write the words of a file of entities, each with its tag."""
    from homeground.data.corpus import read_file
    from homeground.recipe.recipe import make_recipe
    from homeground.tasks import choose_task
    from homeground.tasks.token_classification.tagged import as_tagged

    recipe = make_recipe({}, data=source.file, task="token-classification")
    table = read_file(source.file, recipe)
    texts = as_tagged(choose_task(table, recipe).read(table).examples)
    words = [[each.texts[0][start:end] for start, end in each.words] for each in texts]
    write(folder, [{"tokens": own, "tags": list(each.tags)} for own, each in zip(words, texts, strict=True)])


def plain_texts(folder: Path, source: Source) -> None:
    """Write texts, five documents each of many of them, and a model of DistilBERT's size with random weights."""
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertForMaskedLM

    labelled_texts(folder, source)
    texts = [row["text"] for row in (*read(folder), *read(folder, "held_out"))]
    length = -(-len(texts) // HELD_OUT)
    documents = [" ".join(texts[start : start + length]) for start in range(0, len(texts), length)]
    write(folder, [{"text": document} for document in documents])
    DistilBertForMaskedLM(DistilBertConfig()).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm()).save_pretrained(folder)


def many_texts(folder: Path, source: Source) -> None:
    """Write texts to be predicted, no two alike, a model that was adapted to a few of them, and its exports."""
    import homeground

    labelled_texts(folder, source)
    rows = read(folder)
    settings: dict[str, Any] = {"epochs": 1, "cross_fit": 0, "audit": False, "quiet": True, "bootstrap_draws": 200}
    few = folder / "few.jsonl"
    few.write_text("".join(json.dumps(row) + "\n" for row in rows[:400]), encoding="utf-8")
    run = homeground.adapt(str(few), checkpoint="minilm", task="classification", out=str(folder / "run"), **settings)
    for precision in ("fp32", "bf16", "int8"):
        asked = {precision: True} if precision != "fp32" else {}
        homeground.export(run, format="openvino", margin=1.0, **asked)
    texts = itertools.islice(itertools.cycle([row["text"] for row in rows]), source.predicted)
    lines = "".join(json.dumps({"text": f"{text} {number}"}) + "\n" for number, text in enumerate(texts))
    (folder / "texts.jsonl").write_text(lines, encoding="utf-8")
