"""What becomes of a folder depends on its head, and using a model imports nothing that only an adaptation needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import checkpoints
from transformers import BertConfig, BertForSequenceClassification

import homeground
from homeground import Classifier, Encoder, MaskedLM

USES = {
    Classifier: "model.predict(['the old bank'])",
    Encoder: "model.encode(['the old bank']), model.similarity(['bank'], ['court'])",
    MaskedLM: "model.fill_mask('the old [MASK]'), model.encode(['the old bank'])",
}


def classifier(folder: Path) -> Path:
    """Fill a folder with a tiny classifier of two labels."""
    checkpoints.bert(folder)
    config = BertConfig.from_pretrained(folder, id2label={0: "good", 1: "bad"}, label2id={"good": 0, "bad": 1})
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


FOLDERS = {Classifier: classifier, Encoder: checkpoints.sentence_encoder, MaskedLM: checkpoints.bert}


def test_predicting_imports_neither_the_recipe_nor_the_results(tmp_path: Path) -> None:
    # One process for all kinds, because importing the framework is most of the time.
    lines = ["import sys, homeground"]
    for kind, make in FOLDERS.items():
        folder = make(tmp_path / kind.__name__)
        assert type(homeground.load(folder)) is kind
        lines += [f"model = homeground.load({str(folder)!r})", USES[kind]]
    unwanted = ("homeground.recipe.recipe", "homeground.results.scores", "pydantic")
    lines.append(f"print([name for name in sys.modules if name.startswith({unwanted!r})])")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
