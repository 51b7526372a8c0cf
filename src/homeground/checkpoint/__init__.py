"""From a name, a folder or a run to a safe local checkpoint, with its settings and its tokenizer.

May import data, run, recipe, randomness and errors. No framework: tokenizers come from the tokenizers library, and
nothing of a checkpoint is loaded before it has passed the safety scan.
"""

from homeground.checkpoint.checkpoint import (
    Checkpoint,
    classes_of,
    fills_masks,
    learned_texts,
    load_tokenizer,
    mask_id,
    open_checkpoint,
    padding_id,
    require_encoder,
    write_tokenizer,
)
from homeground.checkpoint.safety import count_parameters, read_settings

__all__ = [
    "Checkpoint",
    "classes_of",
    "count_parameters",
    "fills_masks",
    "learned_texts",
    "load_tokenizer",
    "mask_id",
    "open_checkpoint",
    "padding_id",
    "read_settings",
    "require_encoder",
    "write_tokenizer",
]
