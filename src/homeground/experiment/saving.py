"""The adapted model on disk: the Hugging Face layout, and the proof that what was written is what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint import open_checkpoint, write_modules, write_tokenizer
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import HomegroundError
from homeground.experiment.preparation import Prepared
from homeground.storage import new_folder

COMPARED = 32
"""Test items whose outputs the reloaded model must repeat."""


def save_model(
    model: Model, ready: Prepared, folder: Path, *, card: str, known: Mapping[str, Any] | None = None
) -> None:
    """Write weights, tokenizer, settings and model card; then open the folder anew and compare answers.

    ``known`` is what homeground.json must say besides the settings of the task.

    Raises:
        HomegroundError: the reloaded model answers otherwise than the one in memory.
    """
    with new_folder(folder) as temporary:
        model.save(temporary)
        write_tokenizer(ready.checkpoint, temporary)
        settings = {"version": 1, **ready.task.settings(), **(known or {})}
        if ready.task.head == "encoder":
            _write_for_sentence_transformers(temporary, ready.max_length)
        elif ready.task.head == "sequence_classification":
            _limit_tokenizer(temporary / "tokenizer_config.json", ready.max_length)
            settings["max_length"] = ready.max_length
        _write(temporary / "homeground.json", settings)
        if ready.task.head == "masked_lm":
            write_modules(ready.checkpoint, temporary)
        (temporary / "README.md").write_text(card, encoding="utf-8")
    _check(model, ready, folder)


def _write_for_sentence_transformers(folder: Path, max_length: int) -> None:
    _write(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    _write(
        folder / "config_sentence_transformers.json",
        {
            "__version__": {name: version(name) for name in ("transformers", "torch")},
            "model_type": "SentenceTransformer",
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )


def _limit_tokenizer(path: Path, max_length: int) -> None:
    """Let transformers cut texts where they were cut in training, once asked to cut."""
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    _write(path, {**settings, "model_max_length": max_length})


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
