"""General ability: a measure on examples from outside the domain, before and after."""

from __future__ import annotations

from dataclasses import dataclass

from homeground.data.corpus import link, seen_before
from homeground.data.units import PairUnits
from homeground.engines.model import Model
from homeground.evaluation.evaluate import evaluate
from homeground.experiment.general import General
from homeground.experiment.preparation import Prepared
from homeground.tasks.task import Measured, Rows, Task


@dataclass(frozen=True)
class GeneralSet:
    """Examples from outside the domain, tokenized, and what is independent among them.

    ``seen`` counts those that the adapted model learned from.
    """

    name: str
    task: Task
    rows: Rows
    units: PairUnits
    batch_size: int
    seen: int

    @classmethod
    def of(cls, ready: Prepared, given: General | None) -> GeneralSet | None:
        """Return a general set tokenized, None where there is none."""
        if given is None:
            return None
        rows = given.task.tokenize(given.examples, ready.tokenizer, ready.padding)
        seen = int(seen_before(given.examples, ready.learned_texts).sum())
        size = ready.recipe.evaluation.evaluation_batch_size
        return cls(given.name, given.task, rows, link(given.examples), size, seen)

    def measure(self, model: Model) -> Measured:
        """Return what a model scores on it; of a classifier pairs ask the body alone."""
        measured = model.as_encoder() if self.task.head == "encoder" else model
        return evaluate(measured, self.task, self.rows, batch_size=self.batch_size)
