"""The adapted model on disk: the Hugging Face layout, and the proof that what was written is what was measured."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint import open_checkpoint, write_tokenizer
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import HomegroundError
from homeground.preparation import Prepared
from homeground.run import new_folder

COMPARED = 32
"""Test items whose outputs the reloaded model must repeat."""


def save_model(model: Model, ready: Prepared, folder: Path, *, card: str) -> None:
    """Write weights, tokenizer, settings and model card; then open the folder anew and compare answers.

    Raises:
        HomegroundError: the reloaded model answers otherwise than the one in memory.
    """
    with new_folder(folder) as temporary:
        model.save(temporary)
        write_tokenizer(ready.checkpoint, temporary)
        _write(temporary / "sentence_bert_config.json", {"max_seq_length": ready.max_length, "do_lower_case": False})
        _write(
            temporary / "config_sentence_transformers.json",
            {
                "__version__": {name: version(name) for name in ("transformers", "torch")},
                "model_type": "SentenceTransformer",
                "prompts": {},
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            },
        )
        _write(temporary / "homeground.json", {"version": 1, **ready.task.settings()})
        (temporary / "README.md").write_text(card, encoding="utf-8")
    _check(model, ready, folder)


def _check(model: Model, ready: Prepared, folder: Path) -> None:
    items = np.arange(min(COMPARED, len(ready.test_rows.lengths("measuring"))))
    batch, _ = ready.task.collate(ready.test_rows, items, "measuring")
    reloaded = open_engine(ready.recipe.engine).open_model(open_checkpoint(str(folder)), head=ready.task.head)
    expected, got = model.predict(batch), reloaded.predict(batch)
    if any(not np.array_equal(expected[name], got[name]) for name in expected):
        raise HomegroundError(
            f"{folder}: the saved model answers otherwise than the one that was measured; report this"
        )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
