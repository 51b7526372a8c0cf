"""Whole words of the test documents, filled in piece by piece: the one loss that may be compared across tokenizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from homeground.data.documents import Document
from homeground.data.units import PairUnits
from homeground.engines.model import Model
from homeground.evaluation.comparison import Resampling, difference
from homeground.evaluation.evaluate import evaluate
from homeground.experiment.preparation import Prepared
from homeground.tasks.mlm.mlm import MaskedLanguageModelling
from homeground.tasks.mlm.pseudo_likelihood import PseudoLikelihood, WordRows, draw_words
from homeground.tasks.task import Measured


@dataclass(frozen=True)
class WordSet:
    """Words of documents, tokenized, and what is independent among the documents."""

    rows: WordRows
    units: PairUnits
    batch_size: int
    resampling: Resampling

    @classmethod
    def of(cls, ready: Prepared) -> WordSet | None:
        """Return the words a run asks for, None where it does not ask."""
        asked, task = ready.recipe.evaluation, ready.task
        if not asked.pll or not isinstance(task, MaskedLanguageModelling):
            return None
        documents = cast(list[Document], ready.corpus.test.examples)
        rows = PseudoLikelihood().tokenize(
            draw_words(documents, asked.pll, seed=ready.recipe.seed),
            ready.tokenizer,
            documents=len(documents),
            mask=task.mask,
            padding=ready.padding,
            longest=ready.max_length,
        )
        resampling = Resampling(ready.recipe.seed, asked.bootstrap_draws)
        return cls(rows, ready.corpus.test.units, asked.evaluation_batch_size, resampling)

    def measure(self, model: Model) -> Measured:
        """Return what a model loses on the words."""
        return evaluate(model, PseudoLikelihood(), self.rows, batch_size=self.batch_size)

    def record(self, before: Measured, after: Measured) -> dict[str, Any]:
        """Return what scores.json says of the words."""
        task = PseudoLikelihood()
        interval = difference(task, task.primary_metric, before, after, self.units, self.resampling)
        return {
            "words": int(self.rows.known.sum()),
            "unknown": int((~self.rows.known).sum()),
            "before": before.scores["word_loss"],
            "after": after.scores["word_loss"],
            "difference": interval.record(),
        }
