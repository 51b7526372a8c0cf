"""Checkpoints: from a name, a folder or a run to a local folder that is safe to load, with its tokenizer.

No framework is imported: tokenizers come from the tokenizers library, and nothing of a checkpoint is loaded before it
has passed the safety scan.
"""

from homeground.checkpoint.catalog import CatalogEntry, catalog, find_entry, propose, select
from homeground.checkpoint.checkpoint import (
    BAG_OF_WORDS,
    Checkpoint,
    classes_of,
    fills_masks,
    is_bag_of_words,
    model_files,
    open_checkpoint,
    require_encoder,
    tags_of,
    write_modules,
)
from homeground.checkpoint.coverage import Coverage, measure_coverage, unknown_ids
from homeground.checkpoint.exported import EXPORT_FILE, EXPORTS, exports_of
from homeground.checkpoint.safety import count_parameters, read_settings
from homeground.checkpoint.saved_model import SAVED_MODEL_SETTINGS
from homeground.checkpoint.tokenizer import (
    cleaner_of,
    load_tokenizer,
    mask_id,
    padding_id,
    without_cleaning,
    write_tokenizer,
)

__all__ = [
    "BAG_OF_WORDS",
    "EXPORTS",
    "EXPORT_FILE",
    "SAVED_MODEL_SETTINGS",
    "CatalogEntry",
    "Checkpoint",
    "Coverage",
    "catalog",
    "classes_of",
    "cleaner_of",
    "count_parameters",
    "exports_of",
    "fills_masks",
    "find_entry",
    "is_bag_of_words",
    "load_tokenizer",
    "mask_id",
    "measure_coverage",
    "model_files",
    "open_checkpoint",
    "padding_id",
    "propose",
    "read_settings",
    "require_encoder",
    "select",
    "tags_of",
    "unknown_ids",
    "without_cleaning",
    "write_modules",
    "write_tokenizer",
]
