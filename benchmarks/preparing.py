"""How long it takes to prepare labelled texts: read, hash, check for leaks, split and tokenize, without any training.

    python benchmarks/preparing.py 10000 100000 1000000
    python benchmarks/preparing.py 1000000 --words 46 --sample 100000

The texts are of 12 random words each, or as many as said, with 8 labels. With a sample, as of a dry run, only so many
texts are tokenized. Every size runs in a process of its own, which also gives its peak
of memory. Printed are seconds of CPU time; only the ratios within a run are meaningful.
"""

from __future__ import annotations

import argparse
import csv
import resource
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from homeground.experiment.setup import prepare
from homeground.randomness import generator
from homeground.recipe.recipe import make_recipe

DIFFERENT_WORDS, WORDS, LABELS = 8_000, 12, 8


def write_texts(path: Path, rows: int, words_of_text: int) -> None:
    random = generator(0, "preparing")
    letters = random.choice(list(string.ascii_lowercase), (DIFFERENT_WORDS, 9))
    lengths = random.integers(2, 10, DIFFERENT_WORDS)
    words = ["".join(word[:length]) for word, length in zip(letters, lengths, strict=True)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(rows):
            chosen = random.integers(DIFFERENT_WORDS, size=words_of_text)
            writer.writerow([" ".join(words[place] for place in chosen), f"label {random.integers(LABELS)}"])


def measure(path: Path, out: Path, sample: int | None) -> None:
    began = time.process_time()
    prepare(make_recipe(data=str(path), out=str(out)), tokenize_at_most=sample)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.process_time() - began:.2f} s of CPU time, {peak:,.0f} MiB at most", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="*", default=[20_000])
    parser.add_argument("--words", type=int, default=WORDS, help="words of a text")
    parser.add_argument("--sample", type=int, help="texts that are tokenized")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)  # how it calls itself for one size
    arguments = parser.parse_args()
    if arguments.file:
        measure(arguments.file, arguments.file.parent / "run", arguments.sample)
        return
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.csv"
            write_texts(path, rows, arguments.words)
            print(f"{rows:,} rows: ", end="", flush=True)
            sample = [] if arguments.sample is None else ["--sample", str(arguments.sample)]
            subprocess.run([sys.executable, __file__, "--file", str(path), *sample], check=True)


if __name__ == "__main__":
    main()
