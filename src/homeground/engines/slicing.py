"""A global batch in slices that fit into memory, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

Array = TypeVar("Array", bound=Any)
"""A NumPy array or a tensor."""

BY_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "labels", "token_weights", "deciding_tokens")
"""Arrays of a batch whose last axis is the tokens."""


def slices(batch: Mapping[str, Array], size: int | None) -> Iterator[Mapping[str, Array]]:
    """Yield slices of at most ``size`` items, each cut to its own longest text."""
    count = len(batch["input_ids"])
    size = size or count
    for start in range(0, count, size):
        part = {name: values[start : start + size] for name, values in batch.items()}
        longest = int(part["attention_mask"].sum(-1).max())
        yield {name: values[..., :longest] if name in BY_TOKEN else values for name, values in part.items()}
