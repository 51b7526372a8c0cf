"""General ability: the same measure on scored pairs from outside the domain, before and after."""

from __future__ import annotations

from dataclasses import dataclass

from homeground.data.corpus import link, seen_before
from homeground.data.linking import PairUnits
from homeground.engines.model import Model
from homeground.evaluation.evaluate import evaluate
from homeground.preparation import Prepared
from homeground.tasks.general import read_general
from homeground.tasks.similarity import PairRows, Similarity
from homeground.tasks.task import Measured


@dataclass(frozen=True)
class GeneralSet:
    """Scored pairs from outside the domain, tokenized, and what is independent among them.

    ``seen`` counts the pairs that the adapted model learned from.
    """

    name: str
    task: Similarity
    rows: PairRows
    units: PairUnits
    batch_size: int
    seen: int

    @classmethod
    def of(cls, ready: Prepared) -> GeneralSet | None:
        """Return the general set the recipe names, or None."""
        path = ready.recipe.evaluation.general
        if path is None:
            return None
        task, read = read_general(path, ready.recipe, loss=ready.task.loss)
        examples = read.examples
        rows = task.tokenize(examples, ready.tokenizer, ready.padding)
        seen = int(seen_before(examples, ready.learned_texts).sum())
        return cls(path, task, rows, link(examples), ready.recipe.evaluation.evaluation_batch_size, seen)

    def measure(self, model: Model) -> Measured:
        """Return what a model scores on it."""
        return evaluate(model.as_encoder(), self.task, self.rows, batch_size=self.batch_size)
