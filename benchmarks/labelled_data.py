"""Labelled data sets of the field, adapted to and measured: before, after and baselines, with 95% intervals.

    python benchmarks/labelled_data.py DATA [--only banking77 ...] [--out runs/labelled]

DATA holds a folder for each data set, with its files as published; none of them is part of this repository. A data set
whose run is finished is only printed, so the command can be given again. The rows come as a Markdown table.

There are no Chinese weights here: the Chinese sets start from a small BERT on characters with random weights, which
shows what labels alone teach, and nothing of what a pretrained Chinese encoder would do.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import homeground
from homeground.data.tables import read_table, text
from homeground.results.scores import Scores

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FROM_NOTHING = {"learning_rate": 5e-4, "epochs": 8}
"""Random weights need greater steps, and more of them, than pretrained ones."""


@dataclass(frozen=True)
class Case:
    """One run: its file under DATA, how the others and the checkpoint are made, and the settings."""

    name: str
    file: str
    settings: dict[str, Any] = field(default_factory=lambda: {})
    files: dict[str, str] = field(default_factory=lambda: {})
    prepare: Callable[[Path, Path], dict[str, Any]] = lambda _data, _out: {}


def characters(texts: Iterator[str], folder: Path) -> str:
    """Write a BERT of 3 layers on single characters, with random weights, and return its folder."""
    if (folder / "config.json").is_file():
        return str(folder)
    counted = Counter(letter for line in texts for letter in line.lower() if not letter.isspace())
    tokens = [*SPECIAL, *sorted(letter for letter, count in counted.items() if count > 1)]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, SPECIAL[1]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), "")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=256, **names).save_pretrained(folder)
    small = {"hidden_size": 192, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 768}
    config = BertConfig(vocab_size=len(tokens), max_position_embeddings=256, **small)
    BertModel(config).save_pretrained(folder)
    return str(folder)


def chinese(data: Path, out: Path) -> dict[str, Any]:
    """Return the settings of a start from random weights on the characters of the takeaway reviews."""
    table = read_table(data / "waimai-zh/waimai_10k.csv")
    return {"checkpoint": characters((text(table, row, "review") for row in table.rows), out / "characters")}


def sentences_of_abstracts(data: Path, out: Path) -> dict[str, Any]:
    """Write a file a split with a sentence, its role and its abstract a line."""
    files: dict[str, Any] = {}
    for split, published in (("data", "train"), ("validation", "dev"), ("test", "test")):
        target = out / f"csabstruct-{published}.jsonl"
        with target.open("w", encoding="utf-8") as file:
            lines = (data / f"csabstruct/{published}.jsonl").read_text(encoding="utf-8").splitlines()
            # Every abstract_id in the published files is 0.
            for number, abstract in enumerate(map(json.loads, lines)):
                for sentence, role in zip(abstract["sentences"], abstract["labels"], strict=True):
                    row = {"text": sentence, "label": role, "group": f"{published} {number}"}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        files[split] = str(target)
    return files


def after_takeaway(_data: Path, out: Path) -> dict[str, Any]:
    """Return the settings of a start from what the takeaway reviews taught."""
    return {"checkpoint": str(out / "waimai-zh")}


REVIEWS = {"text": "sentence", "label": "label", "format": "jsonl"}
REVIEW_FILES = {"validation": "eprstmt-zh/dev_few_all.json", "test": "eprstmt-zh/test_public.json"}
CASES = (
    *(
        Case(f"sarcasm-{seed}", "sarcasm-headlines/sarcasm.jsonl", {"seed": seed, "label": "is_sarcastic"})
        for seed in range(3)
    ),
    Case("banking77", "banking77/train.csv", {"epochs": 5, "learning_rate": 1e-4}, {"test": "banking77/test.csv"}),
    Case(
        "citation-intent",
        "citation-intent/train.txt",
        {"format": "jsonl", "text": "text", "label": "label"},
        {"validation": "citation-intent/dev.txt", "test": "citation-intent/test.txt"},
    ),
    Case("csabstruct", "", {"epochs": 2}, prepare=sentences_of_abstracts),
    Case("waimai-zh", "waimai-zh/waimai_10k.csv", {"text": "review", **FROM_NOTHING}, prepare=chinese),
    Case("eprstmt-zh", "eprstmt-zh/train_few_all.json", {**REVIEWS, **FROM_NOTHING}, REVIEW_FILES, chinese),
    Case("eprstmt-zh-chained", "eprstmt-zh/train_few_all.json", REVIEWS, REVIEW_FILES, after_takeaway),
    Case("eprstmt-zh-minilm", "eprstmt-zh/train_few_all.json", REVIEWS, REVIEW_FILES),
)


def row(name: str, scores: dict[str, Any]) -> str:
    """Return the line of the table for a finished run."""
    metric, difference = scores["primary_metric"], scores["difference"]
    baselines = {other: values[metric] for other, values in scores["baselines"].items()}
    cheap = ", ".join(f"{other} {value:.3f}" for other, value in baselines.items())
    spread = f"{difference['value']:+.3f}"
    if difference["low"] is not None:
        spread += f" ({difference['low']:+.3f} to {difference['high']:+.3f})"
    standing, left_out = Scores.model_validate(scores).baseline_standing, scores["left_out"]
    verdict = ", ".join(filter(None, [scores["verdict"], standing and f"{standing.lower()} the best baseline"]))
    examples = f"{scores['test_examples']:,}"
    cells = (
        name,
        f"{examples} (of {left_out['of']:,})" if left_out else examples,
        f"{scores['before'][metric]:.3f}",
        f"{scores['after'][metric]:.3f}",
        spread,
        cheap,
        verdict,
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Adapt to every data set asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--out", type=Path, default=Path("runs/labelled"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("| data | test texts | before | after | difference | baselines | verdict |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        files = {part: str(arguments.data / path) for part, path in case.files.items()}
        made = case.prepare(arguments.data, arguments.out)
        settings = {"data": str(arguments.data / case.file), **case.settings, **files, **made}
        run = homeground.adapt(task="classification", out=str(arguments.out / case.name), **settings)
        print(row(case.name, run.scores), flush=True)


if __name__ == "__main__":
    main()
