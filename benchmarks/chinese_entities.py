"""Entities in Chinese résumés from random weights: what plain Chinese text teaches a small BERT first.

    python benchmarks/chinese_entities.py DATA [--out runs/chinese] [--articles 40] [--sentences 12000]

There are no Chinese weights here. A BERT of three layers on single characters starts from random weights; one step
adapts it to plain text (paragraphs of laws and product reviews), the other to the entities of resume-ner-zh. The chain
runs the second step with and without the first and compares both on one test. It shows what our own few million
characters add, and nothing of what a Chinese encoder that was pretrained on billions would do.

DATA holds laws-zh/laws.jsonl, eprstmt-zh/unlabeled.json and resume-ner-zh/ as published.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import tomli_w
from labelled_data import characters

import homeground


def plain_text(data: Path, articles: int, sentences: int) -> list[str]:
    """Return paragraphs of some laws and some reviews, a text each."""
    laws = (data / "laws-zh/laws.jsonl").read_text(encoding="utf-8").splitlines()[:articles]
    reviews = (data / "eprstmt-zh/unlabeled.json").read_text(encoding="utf-8").splitlines()[:sentences]
    paragraphs = [line.strip() for law in laws for line in json.loads(law)["text"].split("\n\n")]
    return [
        line.replace("\n", " ") for line in (*paragraphs, *(json.loads(each)["sentence"] for each in reviews)) if line
    ]


def main() -> None:
    """Carry out the chain and print what each side scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/chinese"))
    parser.add_argument("--articles", type=int, default=40)
    parser.add_argument("--sentences", type=int, default=12000)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    texts = plain_text(arguments.data, arguments.articles, arguments.sentences)
    (arguments.out / "plain.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    entities = {
        name: (arguments.data / f"resume-ner-zh/{name}.char.bmes").resolve() for name in ("train", "dev", "test")
    }
    letters = iter([*texts, *(path.read_text(encoding="utf-8") for path in entities.values())])
    recipe = {
        "checkpoint": str(Path(characters(letters, arguments.out / "characters")).resolve()),
        "domain": {"data": "plain.txt", "training": {"learning_rate": 1e-3, "epochs": 2, "batch_size": 32}},
        "task": {
            "data": str(entities["train"]),
            "task": "token-classification",
            "reading": {"format": "conll"},
            "split": {"validation": str(entities["dev"]), "test": str(entities["test"])},
            "training": {"learning_rate": 5e-4, "epochs": 8},
        },
    }
    (arguments.out / "chain.toml").write_text(tomli_w.dumps(recipe), encoding="utf-8")
    record = homeground.adapt_chain(arguments.out / "chain.toml", out=str(arguments.out / "chain"))
    print(f"{len(texts):,} texts, {sum(map(len, texts)):,} characters")
    print(json.dumps(record, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
