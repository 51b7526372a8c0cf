"""A model in use: a bag of words that a run has kept, without any network."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from homeground.errors import UsageError
from homeground.inference.classifier import Classifier
from homeground.inference.model_in_use import BATCH_SIZE
from homeground.inference.texts import OneText, Texts
from homeground.tasks.classification.bag_of_words import BagOfWords


class WordClassifier(Classifier):
    """Predicts labels of texts from their words and characters; the framework of the networks is not imported."""

    @cached_property
    def bag_of_words(self) -> BagOfWords:
        """The vocabulary with its weights."""
        return BagOfWords.read(self.checkpoint.folder)

    def embed(self, texts: Iterable[OneText], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float32]:
        """Refuse: a bag of words has no embeddings."""
        raise UsageError(f'"{self.checkpoint.name}" is a bag of words, which has no embeddings; name an encoder')

    def _probabilities(
        self, texts: Texts, batch_size: int, *, show_progress_bar: bool | None = False
    ) -> NDArray[np.float64]:
        return self.bag_of_words.predict_proba([" ".join(sides) for sides in texts.sides])
