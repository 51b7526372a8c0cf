"""One small training that the tests stop, kill and damage: a tiny BERT with dropout 0.1, 24 steps in 3 epochs."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import topic_pairs
from tests.evaluation_sets import pair_examples

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.data.tables import Row, Table
from homeground.data.tokens.tokenized import TextTokens
from homeground.engines import open_engine
from homeground.evaluation.evaluate import evaluate, mean_loss
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.tasks.similarity.similarity import PairRows, Similarity
from homeground.tasks.similarity.spec import SimilaritySpec
from homeground.training import events, train
from homeground.training.loggers import MetricsLog
from homeground.training.signals import Signals

STEPS, PER_EPOCH = 24, 8


@dataclass(frozen=True)
class Training:
    """What a training needs besides a model: all of it made anew in a few milliseconds."""

    encoder: Path
    recipe: Recipe
    task: Similarity
    rows: PairRows
    validation: PairRows

    def open_model(self) -> Any:
        recipe = self.recipe
        return open_engine("torch").open_model(
            open_checkpoint(str(self.encoder)),
            head="encoder",
            loss=self.task.info.loss,
            encoder=recipe.encoder,
            training=recipe.training,
            seed=recipe.seed,
        )

    def measure(self, model: Any) -> dict[str, float]:
        scores = evaluate(model, self.task, self.validation, batch_size=16).scores
        loss = mean_loss(model, self.task, self.validation, batch_size=8)
        return {"validation/loss": loss} | {f"validation/{name}": value for name, value in scores.items()}

    def events(
        self, home: Path, *, model: Any = None, validated: bool = True, **options: Any
    ) -> Iterator[events.TrainingEvent]:
        """Train, log, and yield what happens."""
        log = MetricsLog(home)
        measure = self.measure if validated else None
        model = model or self.open_model()
        for event in train.train(model, self.task, self.rows, self.recipe, home=home, evaluate=measure, **options):
            log(event)
            yield event
        log.close()


def make(encoder: Path, *, pairs: int = 60, **settings: Any) -> Training:
    """Return a training on pairs of topics; every setting of the recipe may be given."""
    chosen = {"epochs": 3, "batch_size": 8, "learning_rate": 2e-3, "precision": "fp32", **settings}
    recipe = make_recipe({"data": "pairs.csv"}, checkpoint=str(encoder), **chosen)
    columns = ("text_1", "text_2", "similarity")
    table = Table("pairs.csv", "csv", columns, [Row(1, dict.fromkeys(columns, "0"))], "", 0)
    task = SimilaritySpec.for_table(table, recipe).with_splits({}, None)
    checkpoint = open_checkpoint(str(encoder))
    tokenizer = load_tokenizer(checkpoint, max_length=16)
    examples = pair_examples(topic_pairs(pairs + 24))
    rows, validation = (task.tokenize(part, TextTokens(tokenizer, 0)) for part in (examples[:pairs], examples[pairs:]))
    return Training(encoder, recipe, task, rows, validation)


@dataclass(frozen=True)
class Outcome:
    """All that two trainings must have in common to be called the same."""

    weights: dict[str, bytes]
    lines: list[dict[str, float]]
    best_step: int | None
    step: int
    reason: str


def finish(training: Training, home: Path, **options: Any) -> Outcome:
    """Train to the end and return what came out."""
    model = training.open_model()
    last = list(training.events(home, model=model, **options))[-1]
    assert isinstance(last, events.Finished)
    return Outcome(weights(model), lines(home), last.best_step, last.step, last.reason)


def weights(model: Any) -> dict[str, bytes]:
    """Return every weight of a torch model, bit for bit."""
    return {name: value.detach().numpy().tobytes() for name, value in model.body.state_dict().items()}


def lines(home: Path) -> list[dict[str, float]]:
    """Return metrics.jsonl without the times."""
    rows = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("wall_time", "sha256")} for row in rows]


def stop_after(step: int) -> Callable[[], int | None]:
    """Return a ``stop`` that reports SIGINT once that many steps are done."""
    calls = iter(range(1, 10_000))
    return lambda: signal.SIGINT if next(calls) >= step else None


def in_a_process(encoder: str, home: str, settings: dict[str, Any], dies_at: int | None, ready: Any) -> None:
    """Train in a process of its own, which may kill itself at its n-th sync, rename or removal."""
    if dies_at is not None:
        _die_at(dies_at)
    with Signals() as stop:
        for event in make(Path(encoder), **settings).events(Path(home), stop=stop):
            if isinstance(event, events.Step) and event.step == 3:
                ready.set()
            if isinstance(event, events.Interrupted):
                sys.exit(128 + event.signal_number)


def _die_at(number: int) -> None:
    calls = iter(range(1, 1_000_000))

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if next(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return wrapped

    for name in ("fsync", "rename", "replace", "unlink", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
