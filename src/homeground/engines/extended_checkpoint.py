"""A checkpoint with new tokens, as a folder that every library opens: its weights, settings and tokenizer.

The row of a new token, in the embeddings and in the head over the vocabulary, is the mean of the rows of its pieces
(Yao et al. 2021, Adapt-and-Distill, ACL Findings), so that a text means much the same before any training.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from homeground.checkpoint import Checkpoint, open_checkpoint, read_settings, write_modules
from homeground.checkpoint.safety import weight_files
from homeground.checkpoint.vocabulary import ExtendedTokenizer, NewToken
from homeground.data.tokens.cache import OTHER_CACHE, cache_folder, is_whole, locked_cache, remove_unused
from homeground.engines.tensors import failures_as_os_errors, read_tensors
from homeground.errors import CheckpointError
from homeground.storage import new_folder

_OF_TOKENS = re.compile(
    r"word_embed|tok_embed|embed_tokens|wte\.|decoder|lm_head|predictions|vocab_projector|vocab_layer"
)

SETTINGS_KEPT = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "homeground.json",
)
"""The files that are copied; those that spell out the old vocabulary are not: tokenizer.json holds the new one."""


def extend_checkpoint(checkpoint: Checkpoint, extended: ExtendedTokenizer) -> Checkpoint:
    """Return a checkpoint with new tokens, written to the user's cache unless it is there whole.

    It keeps the name and the history of the one it is made from.

    Raises:
        CheckpointError: its weights do not tell which of them belong to the vocabulary.
    """
    vocabulary = extended.tokenizer.to_str()
    key = hashlib.sha256(f"{checkpoint.sha256}\n{vocabulary}".encode()).hexdigest()
    folder = cache_folder() / "checkpoints" / key[:32]
    with locked_cache(folder):
        if not is_whole(folder):
            remove_unused(folder.parent)
            with new_folder(folder, OTHER_CACHE) as temporary:
                _write(checkpoint, extended, temporary)
    opened = open_checkpoint(str(folder))
    return replace(opened, name=checkpoint.name, revision=checkpoint.revision, run=checkpoint.run)


def _write(checkpoint: Checkpoint, extended: ExtendedTokenizer, folder: Path) -> None:
    tensors: dict[str, NDArray[np.float32]] = {}
    for path in weight_files(checkpoint.folder):
        tensors |= read_tensors(path)
    size = int(checkpoint.config["vocab_size"])
    with failures_as_os_errors():
        save_file(extend_weights(checkpoint, tensors, extended.tokens), folder / "model.safetensors", {"format": "pt"})
    for name in SETTINGS_KEPT:
        settings: dict[str, Any] = read_settings(checkpoint.folder / name)
        if name == "config.json":
            settings["vocab_size"] = max(size, extended.tokens[-1].id + 1)
        if settings:
            content = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
            (folder / name).write_text(content, encoding="utf-8")
    extended.tokenizer.save(str(folder / "tokenizer.json"))
    write_modules(checkpoint, folder)


def extend_weights(
    checkpoint: Checkpoint, tensors: dict[str, NDArray[np.float32]], tokens: Sequence[NewToken]
) -> dict[str, NDArray[np.float32]]:
    """Return weights with a row for every new token, the mean of those of its pieces, wherever one row is one token.

    Raises:
        CheckpointError: another size of the model is the same number, so rows of tokens cannot be told from others.
    """
    config = checkpoint.config
    size, needed = int(config["vocab_size"]), tokens[-1].id + 1
    rows_of_tokens = [
        name for name, values in tensors.items() if values.shape[:1] == (size,) and _OF_TOKENS.search(name)
    ]
    if not rows_of_tokens:
        raise CheckpointError(f'"{checkpoint.name}": none of its weights has a row for each of its {size} tokens')
    same = [name for name, value in config.items() if value == size and name != "vocab_size"]
    if same:
        raise CheckpointError(
            f'"{checkpoint.name}": the vocabulary and {same[0]} are both {size}, so which weights belong to tokens '
            "cannot be told; leave out --extend-vocabulary"
        )
    extended: dict[str, NDArray[np.float32]] = {}
    for name, values in tensors.items():
        if name not in rows_of_tokens:
            extended[name] = values
            continue
        rows = np.zeros((max(size, needed), *values.shape[1:]), np.float32)
        rows[:size] = values
        for token in tokens:
            rows[token.id] = values[list(token.pieces)].mean(0)
        extended[name] = rows
    return extended
