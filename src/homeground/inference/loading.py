"""From a run, a model folder or a checkpoint to a model in use, whose class follows from its head."""

from __future__ import annotations

import os
from os import PathLike

from homeground.checkpoint import classes_of, fills_masks, is_bag_of_words, open_checkpoint, require_encoder, tags_of
from homeground.engines import engine_for
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.tagger import Tagger
from homeground.inference.word_classifier import WordClassifier


def load(
    source: str | PathLike[str], *, engine: str = "torch", trust_saved_model: bool = False
) -> Encoder | Classifier | Tagger:
    """Return the model of a run, a model folder or a checkpoint, ready to be used.

    What a run has kept beside its model is named by its folder: ``run.before_folder``, ``run.baseline_folder``.

    The result is a ``Classifier`` where the checkpoint has labels for texts, a ``Tagger`` where it has tags for words,
    a ``MaskedLM`` where it has a head for masked words (which is an encoder too), and an ``Encoder`` otherwise.

    A SavedModel, which is a program, is loaded with ``trust_saved_model`` only.

    Raises:
        CheckpointError: it cannot be found, opened or trusted.
    """
    checkpoint = open_checkpoint(os.fspath(source), trust_saved_model=trust_saved_model)
    engine = engine_for(checkpoint, engine)
    if is_bag_of_words(checkpoint):
        return WordClassifier(checkpoint, engine=engine)
    require_encoder(checkpoint)
    if classes_of(checkpoint):
        return Classifier(checkpoint, engine=engine)
    if tags_of(checkpoint):
        return Tagger(checkpoint, engine=engine)
    return (MaskedLM if fills_masks(checkpoint) else Encoder)(checkpoint, engine=engine)
