"""The adapted model on disk: the Hugging Face layout, and the proof that what was written is what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint import open_checkpoint, write_modules, write_tokenizer
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import HomegroundError
from homeground.experiment.setup import Setup
from homeground.storage import new_folder

MAX_ITEMS_COMPARED = 32
"""Test items whose outputs the reloaded model must repeat."""


def save_model(model: Model, setup: Setup, folder: Path, *, card: str, settings: Mapping[str, Any]) -> None:
    """Write weights, tokenizer, settings and model card; then open the folder anew and compare answers.

    ``settings`` is what homeground.json must say besides the settings of the task.

    Raises:
        HomegroundError: the reloaded model answers otherwise than the one in memory.
    """
    info = setup.task.info
    with new_folder(folder) as temporary:
        model.save(temporary)
        write_tokenizer(setup.checkpoint, temporary)
        saved: dict[str, Any] = {"version": 1, **info.saved_settings, "columns": dict(info.columns), **settings}
        for name in info.model_files:
            saved |= MODEL_FILES[name](temporary, setup)
        _write(temporary / "homeground.json", saved)
        (temporary / "README.md").write_text(card, encoding="utf-8")
    _check(model, setup, folder)


def _write_for_sentence_transformers(folder: Path, setup: Setup) -> dict[str, Any]:
    """Write what sentence-transformers reads besides the modules."""
    _write(folder / "sentence_bert_config.json", {"max_seq_length": setup.max_length, "do_lower_case": False})
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
    return {}


def _limit_tokenizer(folder: Path, setup: Setup) -> dict[str, Any]:
    """Let transformers cut texts where they were cut in training, once asked to cut."""
    path = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    _write(path, {**settings, "model_max_length": setup.max_length})
    return {"max_length": setup.max_length}


def _copy_modules(folder: Path, setup: Setup) -> dict[str, Any]:
    """Write the sentence-transformers modules of the checkpoint, where it has some."""
    write_modules(setup.checkpoint, folder)
    return {}


MODEL_FILES: dict[str, Callable[[Path, Setup], dict[str, Any]]] = {
    "sentence_transformers": _write_for_sentence_transformers,
    "tokenizer_limit": _limit_tokenizer,
    "checkpoint_modules": _copy_modules,
}
"""What a task may want saved beside the weights; each returns what it adds to homeground.json."""


def _check(model: Model, setup: Setup, folder: Path) -> None:
    rows = setup.test.rows
    items = np.arange(min(MAX_ITEMS_COMPARED, len(rows.lengths("measuring"))))
    batch, _ = setup.task.collate(rows, items, "measuring")
    reloaded = open_engine(setup.recipe.engine).open_model(open_checkpoint(str(folder)), head=setup.task.info.head)
    expected, got = model.predict(batch), reloaded.predict(batch)
    if any(not np.array_equal(expected[name], got[name]) for name in expected):
        raise HomegroundError(
            f"{folder}: the saved model answers otherwise than the one that was measured; report this"
        )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
