"""What new tokens for broken words are worth: the same adaptation with and without them, and the task after it.

    python benchmarks/vocabulary.py DATA [--only medquad eips] [--tokens 500] [--characters 2000] [--out FOLDER]

DATA holds the data sets as published: medquad/ and eips/. Three steps for each: minilm, which has no head for masked
words, is adapted to the texts, so that it has one; that run is adapted to them again, with and without new tokens; and
where the texts have labels, both results are fine-tuned for them. A finished run is only compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import homeground
from homeground.results.run import UNEXTENDED, VOCABULARY_FILE

ADAPTED: dict[str, Any] = {"task": "mlm", "text": "text", "cross_fit": 0, "learning_rate": 2e-4, "audit": False}

Texts = list[dict[str, str]]


def medquad(data: Path, characters: int) -> tuple[Texts, Texts]:
    """Return answers about health, and questions with their type."""
    lines = (data / "medquad/medquad.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    answers = [{"text": each["answer"][:characters]} for each in rows]
    return answers, [{"text": each["question"], "label": each["qtype"]} for each in rows]


def eips(data: Path, characters: int) -> tuple[Texts, Texts]:
    """Return technical proposals, in pieces, since they are long; they have no labels."""
    lines = (data / "eips/eips.jsonl").read_text(encoding="utf-8").splitlines()
    return [{"text": json.loads(line)["text"][: 5 * characters]} for line in lines], []


SETS: dict[str, Callable[[Path, int], tuple[Texts, Texts]]] = {"medquad": medquad, "eips": eips}


def main() -> None:
    """Run what is missing, and print what was compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--characters", type=int, default=2000, help="characters of a text that are learned from")
    parser.add_argument("--out", type=Path, default=Path("runs/vocabulary"))
    arguments = parser.parse_args()
    for name in arguments.only:
        texts, labelled = SETS[name](arguments.data, arguments.characters)
        out = arguments.out / name
        first = homeground.adapt(texts, checkpoint="minilm", epochs=1, out=str(out / "head"), **ADAPTED)
        extended = homeground.adapt(
            texts,
            checkpoint=first,
            epochs=2,
            extend_vocabulary=arguments.tokens,
            ablate_vocabulary=True,
            out=str(out / "extended"),
            **ADAPTED,
        )
        added = json.loads((extended.folder / "data.json").read_text(encoding="utf-8"))["vocabulary"]
        print(f"{name}: {added['tokens']} tokens, {added['word_share']:.1%} of the words, {added['saved_share']:.1%}")
        print(extended.sentence)
        _print("with against without new tokens", json.loads((extended.folder / VOCABULARY_FILE).read_text()))
        if not labelled:
            continue
        questions = out / "questions.jsonl"
        questions.write_text("".join(f"{json.dumps(each)}\n" for each in labelled), encoding="utf-8")
        sides = [
            homeground.adapt(
                str(questions), checkpoint=str(folder), epochs=3, out=str(out / f"task-{side}"), audit=False
            )
            for side, folder in (("without", extended.folder / UNEXTENDED), ("with", extended.folder))
        ]
        _print("the task after it, with against without", homeground.compare(*sides))


def _print(what: str, compared: dict[str, Any]) -> None:
    metric, difference = compared["primary_metric"], compared["difference"]
    print(
        f"{what}: {metric} {compared['before'][metric]:.3f} and {compared['after'][metric]:.3f}, "
        f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f}) {compared['verdict']}"
    )


if __name__ == "__main__":
    main()
