"""A run, a model folder or a checkpoint becomes a model in use, of the kind that its head is."""

from __future__ import annotations

import os
from os import PathLike
from typing import Any

from homeground.checkpoint import classes_of, fills_masks, open_checkpoint, require_encoder
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.fill_mask import MaskedLM
from homeground.results.run import Run


def load(source: str | PathLike[str] | Run, **options: Any) -> Encoder | Classifier:
    """Return the model of a run, a model folder or a checkpoint, ready to be used.

    What classifies texts becomes a ``Classifier``, what fills in masked words a ``MaskedLM``, which is an encoder too,
    and everything else an ``Encoder``.

    Raises:
        CheckpointError: it cannot be found, opened or trusted.
    """
    checkpoint = open_checkpoint(str(source.folder) if isinstance(source, Run) else os.fspath(source))
    require_encoder(checkpoint)
    if classes_of(checkpoint):
        return Classifier(checkpoint, **options)
    return (MaskedLM if fills_masks(checkpoint) else Encoder)(checkpoint, **options)
