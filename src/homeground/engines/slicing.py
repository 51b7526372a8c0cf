"""A global batch in slices that fit into memory, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from homeground.data.tokens.tokenized import IGNORED_LABEL

Array = TypeVar("Array", bound=Any)
"""A NumPy array or a tensor."""

BY_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "labels", "token_weights", "deciding_tokens")
"""Arrays of a batch whose last axis is the tokens."""


MAX_LOGITS_AT_ONCE = 1 << 25
"""Logits over a vocabulary that are in memory at once while measuring, 128 MiB in float32."""


def by_masked_tokens(batch: Mapping[str, Array], vocabulary: int) -> Iterator[Mapping[str, Array]]:
    """Yield parts of a batch, each of as many items as keep their logits within ``MAX_LOGITS_AT_ONCE``."""
    limit = max(1, MAX_LOGITS_AT_ONCE // vocabulary)
    masked = (batch["labels"] != IGNORED_LABEL).sum(1).cumsum(0).tolist()
    start = before = 0
    for item in range(1, len(masked) + 1):
        if item == len(masked) or masked[item] - before > limit:
            yield {name: values[start:item] for name, values in batch.items()}
            start, before = item, masked[item - 1]


def shares(batch: Mapping[str, Array], count: int) -> Iterator[Mapping[str, Array]]:
    """Yield a batch in so many parts of nearly equal numbers of items, of a small batch some without any."""
    items = len(batch["input_ids"])
    for number in range(count):
        part = slice(number * items // count, (number + 1) * items // count)
        yield {name: values[part] for name, values in batch.items()}


def slices(batch: Mapping[str, Array], size: int | None) -> Iterator[Mapping[str, Array]]:
    """Yield slices of at most ``size`` items, each cut to its own longest text."""
    count = len(batch["input_ids"])
    size = size or count
    for start in range(0, count, size):
        part = {name: values[start : start + size] for name, values in batch.items()}
        longest = max(int(part["attention_mask"].sum(-1).max()), 1)
        yield {name: values[..., :longest] if name in BY_TOKEN else values for name, values in part.items()}
