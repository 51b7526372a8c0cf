"""General ability: a measure on examples from outside the domain, before and after."""

from __future__ import annotations

from dataclasses import dataclass

from homeground.data.corpus import link, seen_before
from homeground.data.linking import PairUnits
from homeground.engines.model import Model
from homeground.evaluation.evaluate import evaluate
from homeground.preparation import Prepared
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
    def of(cls, ready: Prepared) -> GeneralSet | None:
        """Return the general set the recipe names, or None."""
        path = ready.recipe.evaluation.general
        if path is None or ready.general is None:
            return None
        task, examples = ready.general
        rows = task.tokenize(examples, ready.tokenizer, ready.padding)
        seen = int(seen_before(examples, ready.learned_texts).sum())
        return cls(path, task, rows, link(examples), ready.recipe.evaluation.evaluation_batch_size, seen)

    def measure(self, model: Model) -> Measured:
        """Return what a model scores on it; of a classifier pairs ask the body alone."""
        measured = model.as_encoder() if self.task.head == "encoder" else model
        return evaluate(measured, self.task, self.rows, batch_size=self.batch_size)
