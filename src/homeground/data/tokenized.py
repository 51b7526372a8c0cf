"""Texts as token ids, tokenized once: a flat array and where each text begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer


@dataclass(frozen=True)
class Tokenized:
    """Token ids of many texts.

    ``ids`` is flat, int32; text ``i`` is ``ids[starts[i]:starts[i + 1]]``. ``truncated`` counts the texts that lost
    tokens to the maximum length.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    truncated: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every text, shape ``(texts,)``."""
        return np.diff(self.starts)

    def pad(self, indices: NDArray[np.int64], padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ``(input_ids, attention_mask)`` of some texts, each ``indices.shape + (longest,)``.

        >>> texts = Tokenized(np.array([5, 6, 7], np.int32), np.array([0, 1, 3]), 0)
        >>> texts.pad(np.array([0, 1]), padding=9)[0].tolist()
        [[5, 9], [6, 7]]
        """
        flat = indices.reshape(-1)
        lengths = self.lengths[flat]
        mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
        input_ids = np.full(mask.shape, padding, np.int64)
        input_ids[mask] = np.concatenate([self.ids[self.starts[i] : self.starts[i + 1]] for i in flat])
        shape = (*indices.shape, mask.shape[1])
        return input_ids.reshape(shape), mask.astype(np.int64).reshape(shape)


def tokenize(texts: Sequence[str], tokenizer: Tokenizer) -> Tokenized:
    """Tokenize texts once, special tokens included, cut to the length the tokenizer was told."""
    encodings = tokenizer.encode_batch_fast(list(texts))
    ids = [np.asarray(encoding.ids, np.int32) for encoding in encodings]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids], dtype=np.int64)])
    flat = np.concatenate(ids) if ids else np.empty(0, np.int32)
    return Tokenized(flat, starts, truncated=sum(bool(encoding.overflowing) for encoding in encodings))
