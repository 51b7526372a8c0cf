"""SavedModels of TensorFlow, such as Universal Sentence Encoder: strings in, vectors out.

A SavedModel is a program and not only weights: a graph of operations that TensorFlow runs. So it is opened only where
the user says that it is trusted, and the engine lets it run only operations of a list. Its text never passes a
tokenizer of ours; so that it goes the way of all texts, its "tokens" are the bytes of UTF-8, with the ids 0 to 255.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeground.errors import CheckpointError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SAVED_MODEL_TYPE = "homeground_saved_model"
"""The model type in the config.json that a run writes beside a SavedModel."""

PROGRAM_FILE = "saved_model.pb"
PADDING_ID = 256
"""The id that fills a row of bytes up to the longest."""

MAX_TEXT_BYTES = 1 << 16
"""The bytes of a text that are read."""

SAVED_MODEL_SETTINGS: dict[str, Any] = {
    "model_type": SAVED_MODEL_TYPE,
    "pad_token_id": PADDING_ID,
    "vocab_size": PADDING_ID + 1,
}


def holds_saved_model(folder: Path) -> bool:
    """Tell whether a folder holds a SavedModel and no checkpoint in the layout of the Hub."""
    return (folder / PROGRAM_FILE).is_file() and not (folder / "model.safetensors").is_file()


def require_saved_model(name: str, folder: Path, *, trusted: bool) -> None:
    """Refuse a folder that is no SavedModel, one of another form, and one that the user does not say to trust.

    Raises:
        CheckpointError: with what to do.
    """
    if not (folder / PROGRAM_FILE).is_file():
        if (folder / "saved_model.pbtxt").is_file():
            raise CheckpointError(f"{folder}: saved_model.pbtxt is its text form; save it anew as {PROGRAM_FILE}")
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) or "nothing"
        raise CheckpointError(f"{folder}: no SavedModel, because it has no {PROGRAM_FILE} (it holds {there})")
    if not (folder / "variables" / "variables.index").is_file():
        raise CheckpointError(f"{folder}: variables/variables.index is missing; the copy is incomplete")
    if not trusted:
        raise CheckpointError(
            f'"{name}" is a SavedModel, and a SavedModel is a program that TensorFlow runs; if you trust whoever made '
            "it, add --trust-saved-model"
        )


def saved_model_files(folder: Path) -> list[Path]:
    """Return the files of a SavedModel that determine its outputs, and the settings that a run writes beside it."""
    inside = [path for name in ("variables", "assets") for path in sorted((folder / name).rglob("*"))]
    paths = [folder / name for name in (PROGRAM_FILE, "config.json", "homeground.json")] + inside
    return [path for path in paths if path.is_file()]


def count_saved_parameters(folder: Path) -> int:
    """Return about how many weights a SavedModel has, taken as 4 bytes each."""
    return sum(path.stat().st_size for path in (folder / "variables").glob("variables.data-*")) // 4


def byte_tokenizer(max_length: int) -> Tokenizer:
    """Return a tokenizer whose tokens are the bytes of a text in UTF-8, at most ``max_length`` of them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=_letters_of_bytes(), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def _letters_of_bytes() -> dict[str, int]:
    """Return the byte of every letter that stands for one, as in GPT-2: bytes that are no letters get the next ones."""
    letters = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in letters]
    return {chr(byte): byte for byte in letters} | {chr(256 + place): byte for place, byte in enumerate(others)}
