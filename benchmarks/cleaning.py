"""What cleaning is worth: one recipe on the texts as they are, lightly and heavily cleaned, compared on the same test.

    python benchmarks/cleaning.py DATA [--only headlines reviews questions] [--rows 4000] [--out runs/cleaning]

DATA holds the data sets as published: sarcasm-headlines/, waimai-zh/ and banking77/. A finished run is only compared.
The Chinese reviews start from a small BERT on characters with random weights; nothing is said of a pretrained one.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelled_data import FROM_NOTHING, characters

import homeground

LEVELS = ("none", "light", "heavy")


def headlines(data: Path, rows: int, _: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return the headlines, sarcastic or not, and the settings of their recipe."""
    lines = (data / "sarcasm-headlines/sarcasm.jsonl").read_text(encoding="utf-8").splitlines()[:rows]
    examples = [json.loads(line) for line in lines]
    texts = [{"text": each["headline"], "label": str(each["is_sarcastic"])} for each in examples]
    return texts, {"checkpoint": "minilm", "clean_language": "en"}


def questions(data: Path, rows: int, _: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return the questions of bank customers with their intents, and the settings of their recipe."""
    with (data / "banking77/train.csv").open(newline="", encoding="utf-8") as file:
        examples = list(csv.DictReader(file))
    step = max(len(examples) // rows, 1)
    texts = [{"text": each["text"], "label": each["category"]} for each in examples[::step]]
    return texts, {"checkpoint": "minilm", "clean_language": "en"}


def reviews(data: Path, rows: int, out: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return the reviews of takeaways, good or bad, and the settings of their recipe."""
    with (data / "waimai-zh/waimai_10k.csv").open(newline="", encoding="utf-8-sig") as file:
        examples = list(csv.DictReader(file))
    step = max(len(examples) // rows, 1)
    texts = [{"text": each["review"], "label": each["label"]} for each in examples[::step]]
    checkpoint = characters(iter([each["text"] for each in texts]), out / "characters")
    return texts, {"checkpoint": checkpoint, "clean_language": "zh", **FROM_NOTHING}


CASES: dict[str, Callable[[Path, int, Path], tuple[list[dict[str, str]], dict[str, Any]]]] = {
    "headlines": headlines, "reviews": reviews, "questions": questions
}  # fmt: skip


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=Path("runs/cleaning"))
    arguments = parser.parse_args()
    print(
        "| texts | test | as they are | light | light minus none | heavy | heavy minus none "
        "|\n|---|---|---|---|---|---|---|"
    )
    for name in arguments.only:
        examples, settings = CASES[name](arguments.data, arguments.rows, arguments.out)
        path = arguments.out / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(examples)
        runs = {
            level: homeground.adapt(
                str(path), clean=level, out=str(arguments.out / f"{name}-{level}"), audit=False, alternatives=False,
                test=0.25, cross_fit=0, quiet=True, **settings,
            )
            for level in LEVELS
        }  # fmt: skip
        cells = [name, str(runs["none"].scores["test_examples"]), f"{runs['none'].after:.3f}"]
        for level in LEVELS[1:]:
            compared = homeground.compare(runs["none"], runs[level])
            difference = compared["difference"]
            ends = f"({difference['low']:+.3f} to {difference['high']:+.3f})" if difference["low"] is not None else ""
            cells += [f"{runs[level].after:.3f}", f"{difference['value']:+.3f} {ends}, {compared['verdict']}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
