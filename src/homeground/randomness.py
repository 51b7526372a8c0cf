"""Every random choice as a pure function of (seed, purpose, and the numbers that name the occasion).

Nothing is streamed: a shuffle belongs to (seed, "shuffle", epoch), a dropout mask to (seed, "dropout", step,
microbatch). So a checkpoint needs no generator state, a resumed run makes the very choices the unbroken run would have
made, and prefetching or another number of workers changes nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np


def key(seed: int, purpose: str, *occasion: int | str) -> int:
    """Return the 128-bit key of one random choice.

    The key is BLAKE2b over the parts, so that neighbouring seeds or steps share nothing.

    >>> key(0, "shuffle", 1) == key(0, "shuffle", 1)
    True
    >>> key(0, "shuffle", 1) == key(0, "shuffle", 2)
    False
    """
    text = "\x1f".join([str(seed), purpose, *(str(part) for part in occasion)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def generator(seed: int, purpose: str, *occasion: int | str) -> np.random.Generator:
    """Return NumPy's counter-based Philox generator for one random choice.

    >>> int(generator(0, "shuffle", 1).integers(1000)) == int(generator(0, "shuffle", 1).integers(1000))
    True
    """
    return np.random.Generator(np.random.Philox(key=key(seed, purpose, *occasion)))
