"""Contamination: which test examples the adapted model has learned from, in this run or an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint, learned_texts
from homeground.data.corpus import Corpus, seen_before
from homeground.data.examples import text_hashes
from homeground.experiment.general_sets import GeneralExamples
from homeground.recipe.recipe import Recipe


@dataclass(frozen=True)
class Contamination:
    """What was learned from, as sorted hashes, and where the test has it.

    ``training_hashes`` are those of every text and example that the adapted model has learned from or was chosen by,
    earlier runs included. ``rows`` are the test examples among them, ``text_only`` counts test examples of which an
    earlier run learned a text, though not with this label or score; ``general`` counts general examples.
    """

    training_hashes: NDArray[np.uint64]
    rows: list[int]
    text_only: int
    general: int

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        checkpoint: Checkpoint,
        corpus: Corpus,
        general: GeneralExamples | None,
        keep_general: GeneralExamples | None,
    ) -> Contamination:
        """Return the contamination of a recipe's test and general set."""
        earlier, test = learned_texts(checkpoint), corpus.test.examples
        chose = keep_general.examples if keep_general else []
        own = text_hashes([*corpus.train.examples, *corpus.validation.examples, *chose])
        training_hashes = np.union1d(earlier, own)
        hashes = training_hashes
        if corpus.folds is not None:
            # Each fold's model learned from the others only; a validation file chose the weights of all.
            from_file = isinstance(recipe.split.validation, str)
            hashes = np.union1d(earlier, text_hashes(corpus.validation.examples if from_file else []))
        seen = seen_before(test, hashes)
        known = set(earlier.tolist())
        text_only = sum(
            not hit and not known.isdisjoint(example.digests) for example, hit in zip(test, seen.tolist(), strict=True)
        )
        return cls(
            training_hashes,
            [example.row for example, hit in zip(test, seen.tolist(), strict=True) if hit],
            text_only,
            0 if general is None else int(seen_before(general.examples, training_hashes).sum()),
        )
