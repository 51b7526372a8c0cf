"""What the audit finds: planted faults of known number, a million rows, and data sets as they were published.

    python benchmarks/audit.py DATA [--only copies labels million folders]

copies   1, 5 and 20% of the texts once more with one or two words replaced: which share is found
labels   5% of the labels replaced by another: which share of as many suspects is among them
million  a million short rows of random words: CPU seconds and peak memory, reading included
folders  one line for each data set

DATA holds the data sets as published, each in its folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import homeground
from homeground.audit.audited import AuditedExamples
from homeground.audit.labels import LabelledSample, cheap_model, labelled_sample
from homeground.audit.near_duplicates import near_duplicates
from homeground.data.examples import Example

MILLION = 1_000_000
WORDS_OF_A_ROW = (4, 16)
BASE_TEXTS = 8000
FLIPPED_SHARE = 0.05
SHARES = (0.01, 0.05, 0.2)

CITATIONS, POSTS, RESUMES = "citation-intent", "wnut17", "resume-ner-zh"

FOLDERS: dict[str, dict[str, Any]] = {
    "banking77/train.csv": {"test": "banking77/test.csv"},
    f"{CITATIONS}/train.txt": {
        "format": "jsonl", "validation": f"{CITATIONS}/dev.txt", "test": f"{CITATIONS}/test.txt",
    },
    "sarcasm-headlines/sarcasm.jsonl": {},
    "medquad/medquad.jsonl": {"text": "question", "label": "qtype"},
    "waimai-zh/waimai_10k.csv": {},
    "eprstmt-zh/train_few_all.json": {"format": "jsonl", "test": "eprstmt-zh/test_public.json"},
    f"{POSTS}/wnut17train.conll": {
        "format": "conll", "validation": f"{POSTS}/emerging.dev.conll", "test": f"{POSTS}/emerging.test.annotated",
    },
    f"{RESUMES}/train.char.bmes": {
        "validation": f"{RESUMES}/dev.char.bmes", "test": f"{RESUMES}/test.char.bmes",
    },
    "sts-benchmark-en/sts-train.csv": {
        "test": "sts-benchmark-en/sts-dev.csv", "delimiter": "tab", "quoting": "none", "header": False,
        "columns": "genre,file,year,id,score,sent1,sent2", "score_range": "0,5",
    },
    "sts-benchmark-zh/cnsd-sts-train.txt": {
        "test": "sts-benchmark-zh/cnsd-sts-dev.txt", "format": "csv", "delimiter": "||", "header": False,
        "columns": "id,text_1,text_2,similarity", "score_range": "0,5",
    },
    "esco/training_pairs.csv": {"text_1": "base", "text_2": "ref", "similarity": "similarity"},
    "esco/occupations_en.csv": {"text": "description", "label": "iscoGroup"},
    "eips/eips.jsonl": {"text": "text", "task": "mlm"},
    "laws-zh/laws.jsonl": {"text": "text", "label": "category"},
}  # fmt: skip
"""The files with the options that they need."""

ABSTRACTS = "csabstruct"
SPLITS = ("train", "dev", "test")


def headlines(data: Path) -> list[str]:
    """Return the different headlines."""
    lines = (data / "sarcasm-headlines/sarcasm.jsonl").read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(json.loads(line)["headline"].lower() for line in lines))


def questions(data: Path) -> list[tuple[str, str]]:
    """Return the questions of customers with their intents."""
    with (data / "banking77/train.csv").open(newline="", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def copies(data: Path) -> None:
    """Print the recall of planted copies."""
    print("| texts | words replaced | copies | found |\n|---|---|---|---|")
    for name, texts in (("headlines", headlines(data)), ("questions", list(dict(questions(data))))):
        random = np.random.default_rng(0)
        words = [word for text in texts for word in text.split()]
        base = [texts[place] for place in random.choice(len(texts), BASE_TEXTS, replace=False).tolist()]
        for replaced in (1, 2):
            for share in SHARES:
                planted = plant(base, words, replaced, round(share * len(base)), random)
                every = [*base, *(copy for _, copy in planted)]
                found = set(map(tuple, near_duplicates(every).pairs.tolist()))
                hits = [(place, len(base) + number) in found for number, (place, _) in enumerate(planted)]
                print(f"| {name} | {replaced} | {share:.0%} | {np.mean(hits):.3f} |")


def plant(
    base: list[str], words: list[str], replaced: int, count: int, random: np.random.Generator
) -> list[tuple[int, str]]:
    """Return copies of some texts of four words or more, with the place of each, some of their words replaced."""
    planted: list[tuple[int, str]] = []
    for place in random.choice(len(base), count, replace=False).tolist():
        parts = base[place].split()
        if len(parts) < 4:
            continue
        for word in random.choice(len(parts), replaced, replace=False).tolist():
            parts[word] = words[int(random.integers(len(words)))]
        planted.append((place, " ".join(parts)))
    return planted


def labels(data: Path) -> None:
    """Print how many of the suspects are planted."""
    rows = questions(data)
    random = np.random.default_rng(0)
    names = sorted({label for _, label in rows})
    count = round(FLIPPED_SHARE * len(rows))
    flipped = set(random.choice(len(rows), count, replace=False).tolist())
    for place in flipped:
        text, label = rows[place]
        rows[place] = text, str(random.choice([name for name in names if name != label]))
    examples = [Example(number, (text,), labels=(label,)) for number, (text, label) in enumerate(rows)]
    sample = labelled_sample(AuditedExamples.of({"data": examples}))
    assert isinstance(sample, LabelledSample)
    _, probabilities = cheap_model(sample)
    own = probabilities[np.arange(len(sample.texts)), sample.classes]
    order = sample.places[np.argsort(own, kind="stable")].tolist()
    for first in (100, count):
        share = np.mean([place in flipped for place in order[:first]])
        print(f"questions, {count} labels replaced: {share:.3f} of the first {first} suspects are among them")


def million(_: Path) -> None:
    """Print time and memory of a million short rows."""
    random = np.random.default_rng(0)
    words = np.array(
        [
            f"{one}{two}{three}{four}"
            for one in "bdfgklmnprst"
            for two in "aeiou"
            for three in ("bl", "ch", "dr", "f", "gn", "ll", "mp", "nt", "rk", "st", "tt", "v")
            for four in ("ade", "er", "ing", "ity", "o", "ous", "tion", "y")
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for number in range(MILLION):
                writer.writerow([" ".join(random.choice(words, int(random.integers(*WORDS_OF_A_ROW)))), number % 2])
        size = path.stat().st_size / 1e6
        child = [sys.executable, __file__, "--child", str(path)]
        took = subprocess.run(child, capture_output=True, text=True, check=True).stdout
        print(f"{MILLION:,} rows, {size:.0f} MB: {took}")


def child(path: str) -> None:
    """Inspect a file, and print what it took."""
    began = time.process_time()
    homeground.inspect(path, quiet=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{time.process_time() - began:.0f} CPU seconds, {peak:,.0f} MiB")


def folders(data: Path) -> None:
    """Print what is found in each data set."""
    for name, options in FOLDERS.items():
        settings = {
            key: str(data / value) if key in ("validation", "test") else value for key, value in options.items()
        }
        print_found(name, homeground.inspect(str(data / name), quiet=True, **settings))
    with tempfile.TemporaryDirectory() as folder:
        write_sentences(data / ABSTRACTS, Path(folder))
        print_found(ABSTRACTS, homeground.inspect(folder, quiet=True, text="text", label="label", group="abstract"))


def print_found(name: str, found: dict[str, Any]) -> None:
    """Print findings, advice and the figures behind them."""
    audit = found["audit"]
    print(f"\n## {name}\n{found['splits']} {[(each['name'], each['share']) for each in audit['languages'][:3]]}")
    for finding in audit["findings"]:
        print(f"- {finding['severity']} ({finding['kind']}): {finding['sentence']}")
    for line in audit["advice"]:
        print(f"> {line}")
    print("probes", {each["name"]: (each["score"], each["chance"]) for each in audit["probes"]})
    print("groups", [(each["column"], each["kind"], each["accuracy"], each["random"]) for each in audit["groups"]])


def write_sentences(published: Path, folder: Path) -> None:
    """Write the sentences of abstracts with their roles, a row each, since a row as published is a whole abstract."""
    for split in SPLITS:
        lines = (published / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for number, abstract in enumerate(map(json.loads, lines)):
                for text, label in zip(abstract["sentences"], abstract["labels"], strict=True):
                    row = {"text": text, "label": label, "abstract": f"{split}-{number}"}
                    file.write(f"{json.dumps(row)}\n")


PARTS: dict[str, Callable[[Path], None]] = {"copies": copies, "labels": labels, "million": million, "folders": folders}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    for name in arguments.only:
        PARTS[name](arguments.data)


if __name__ == "__main__":
    main()
