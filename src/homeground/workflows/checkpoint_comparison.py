"""Which checkpoint would do, before any of them is trained: ``homeground compare --checkpoints``.

    labelled texts   an L2 logistic regression on what each frozen checkpoint says of the texts
    pairs            each checkpoint as it is

Choosing a checkpoint is choosing, so nothing of the test split is looked at: the data is split as ``adapt`` would, and
all other examples are used. Labelled ones are cross-fitted by units, each predicted by a regression that learned from
the other folds, its strength and pooling chosen inside them. Where the rows have an order or the validation split is a
file of its own, the regression learns from train and is measured on validation.

A checkpoint that a run has trained on any of the examples is measured, and left out of the choice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import (
    Checkpoint,
    count_parameters,
    learned_texts,
    load_tokenizer,
    open_checkpoint,
    padding_id,
    read_settings,
    require_encoder,
)
from homeground.data.corpus import Corpus, Part, link, read_corpus, read_file, seen_before
from homeground.data.examples import Example
from homeground.data.splitting import cross_fit_folds
from homeground.data.tokenized import tokenize
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import DataError, UsageError
from homeground.evaluation.comparison import METRIC_NAMES, Resampling, described, difference
from homeground.evaluation.evaluate import embed, evaluate
from homeground.evaluation.verdict import FEWEST_DISCORDANT, FEWEST_EFFECTIVE_UNITS, FEWEST_UNITS
from homeground.experiment.head import Choice, probabilities, vectors_of
from homeground.recipe.recipe import Recipe, make_recipe
from homeground.statistics.bootstrap import Interval, own_interval
from homeground.tasks import choose_task
from homeground.tasks.classification.classification import Classification
from homeground.tasks.similarity import Similarity
from homeground.tasks.task import Measured, Split, Task

FOLDS = 5
"""Parts of the labelled examples, each of which is predicted by a regression that learned from the others."""


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that could be adapted, and what is known of it before it is measured."""

    checkpoint: Checkpoint
    tokenizer: Tokenizer
    padding: int
    max_length: int
    parameters: int


@dataclass(frozen=True)
class Ground:
    """What the candidates are compared on.

    ``examples`` are all but those of the test split; ``part`` those of them that are scored. ``rounds`` marks the held
    out examples ``(examples,)`` of every fit; there are none where nothing is fitted.
    """

    recipe: Recipe
    task: Task
    examples: list[Example]
    rounds: list[NDArray[np.bool_]]
    part: Part
    corpus: Corpus


@dataclass(frozen=True)
class Tried:
    """What one candidate scored, with its dimensions, its pooling where one was chosen, and the seconds it took."""

    measured: Measured
    dimensions: int
    pooling: str | None
    truncated: int
    seconds: float


def compare_checkpoints(
    checkpoints: Sequence[str], data: str | Path, *, say: Callable[[str], None] = lambda _: None, **settings: Any
) -> dict[str, Any]:
    """Return what several checkpoints score on a file before any training, each with its interval against the best.

    ``settings`` are those of ``adapt``; with the same ones its test split stays unasked. ``say`` hears what is done.
    docs/scores.md describes the result.

    Raises:
        UsageError: fewer than two checkpoints, or one of them twice, be it under two names.
        CheckpointError: one of them cannot be opened; told before any is measured.
        DataError: the file cannot be read, or leaves nothing to compare on; or every checkpoint learned from it.
    """
    if len(checkpoints) < 2 or len(set(checkpoints)) < len(checkpoints):
        raise UsageError(f"expected at least 2 checkpoints, each once; got {', '.join(checkpoints) or 'none'}")
    recipe = make_recipe({}, data=str(data), **settings)
    candidates = [_candidate(name, recipe) for name in checkpoints]
    _refuse_twins(candidates)
    ground = _ground(recipe)
    say(f"{data}: {ground.task.understood()}")
    seen = _seen(candidates, ground)
    for candidate in candidates:
        _open(candidate, ground)
    tried: dict[str, Tried] = {}
    for candidate in candidates:
        say(f"{candidate.checkpoint.name}: {len(ground.examples)} examples")
        tried[candidate.checkpoint.name] = _try(candidate, ground)
    say("cheap baselines")
    return _record(ground, candidates, tried, seen, _baselines(ground, candidates[0]))


def _refuse_twins(candidates: Sequence[Candidate]) -> None:
    names: dict[str, str] = {}
    for own in (candidate.checkpoint for candidate in candidates):
        first = names.setdefault(own.sha256, own.name)
        if first != own.name:
            raise UsageError(f"{first} and {own.name} are the same weights, settings and tokenizer; give one of them")


def _seen(candidates: Sequence[Candidate], ground: Ground) -> dict[str, int]:
    """Return how many of the scored examples each candidate learned from; refuse where each has seen some."""
    examples = ground.part.examples
    seen = {
        each.checkpoint.name: int(seen_before(examples, learned_texts(each.checkpoint)).sum()) for each in candidates
    }
    if all(seen.values()):
        counts = ", ".join(f"{name} from {count}" for name, count in seen.items())
        problem = f"every checkpoint learned from some of its {len(examples)} examples ({counts})"
        raise DataError.at(ground.recipe.data, f"{problem}; take other data, or add a checkpoint that has seen none")
    return seen


def _candidate(name: str, recipe: Recipe) -> Candidate:
    checkpoint = open_checkpoint(name)
    require_encoder(checkpoint)
    max_length = recipe.encoder.max_length or checkpoint.max_length
    if max_length > checkpoint.max_length:
        raise UsageError(f"--max-length {max_length}: {name} reads at most {checkpoint.max_length} tokens")
    tokenizer = load_tokenizer(checkpoint, max_length=max_length)
    padding = padding_id(checkpoint, tokenizer)
    return Candidate(checkpoint, tokenizer, padding, max_length, count_parameters(checkpoint.folder))


def _ground(recipe: Recipe) -> Ground:
    table = read_file(recipe.data, recipe)
    task = choose_task(table, recipe)
    recipe = recipe.for_task(task.name)
    if task.head == "masked_lm":
        raise UsageError(
            f"{recipe.data} holds plain texts, and --checkpoints compares what checkpoints make of labels or pairs; "
            "leave out --checkpoints to compare two of them by their masked words"
        )
    corpus = read_corpus(table, recipe, task.read)
    examples = corpus.train.examples + corpus.validation.examples
    if not isinstance(task, Classification):
        return Ground(recipe, task, examples, [], Part(examples, link(examples)), corpus)
    chosen = np.arange(len(examples)) >= len(corpus.train)
    given = isinstance(recipe.split.validation, str) or recipe.split.split == "ordered"
    if given:
        rounds = [chosen]
        if not chosen.any():
            raise DataError(f"{recipe.data}: no validation examples to choose a checkpoint by; give --validation")
    else:
        folds = cross_fit_folds(link(examples).units, FOLDS, seed=recipe.seed)
        rounds = [folds == fold for fold in range(int(folds.max()) + 1)]
    learned = corpus.train.examples if given else examples
    choosing = corpus.validation.examples if given else []
    settled = task.settled({"train": learned, "validation": choosing, "test": []}, None)
    scored = [example for example, out in zip(examples, np.any(rounds, axis=0), strict=True) if out]
    return Ground(recipe, settled, examples, rounds, Part(scored, link(scored)), corpus)


def _open(candidate: Candidate, ground: Ground) -> Model:
    recipe, task = ground.recipe, ground.task
    return open_engine(recipe.engine).open_model(
        candidate.checkpoint, head=task.head, encoder=recipe.encoder, labels=task.labels
    )


def _try(candidate: Candidate, ground: Ground) -> Tried:
    began = time.monotonic()
    model, task = _open(candidate, ground), ground.task
    size = ground.recipe.evaluation.evaluation_batch_size
    if isinstance(task, Classification):
        rows = task.tokenize(ground.examples, candidate.tokenizer, candidate.padding)
        vectors = vectors_of(model, task, rows, size=size)
        predictions, pooling = _cross_fitted(vectors, rows.labels, task, ground)
        measured = task.measure(_scored_rows(candidate, ground), predictions)
        dimensions = vectors["mean"].shape[1]
    else:
        pooling, (task, examples) = None, _as_compared(candidate, ground)
        rows = task.tokenize(examples, candidate.tokenizer, candidate.padding)
        measured = evaluate(model, task, rows, batch_size=size)
        one = tokenize(examples[0].texts[:1], candidate.tokenizer)
        dimensions = embed(model, one, padding=candidate.padding, batch_size=1).shape[1]
    return Tried(measured, dimensions, pooling, rows.truncated, time.monotonic() - began)


def _cross_fitted(
    vectors: Mapping[str, NDArray[np.float32]], labels: NDArray[np.int64], task: Classification, ground: Ground
) -> tuple[NDArray[np.float64], str]:
    """Return the probabilities of the scored examples, each by a fit that held it out, and the usual pooling."""
    predictions = np.full((len(labels), len(task.labels)), np.nan)
    chosen: Counter[str] = Counter()
    for held in ground.rounds:
        choice = Choice.of(labels[~held], None, task, ground.recipe.seed)
        fits = {name: choice.fit(each[~held], None) for name, each in vectors.items()}
        pooling = min(fits, key=lambda name: fits[name].loss)
        predictions[held] = probabilities(fits[pooling].linear, vectors[pooling][held], several=task.several)
        chosen[pooling] += 1
    return predictions[np.any(ground.rounds, axis=0)], chosen.most_common(1)[0][0]


def _as_compared(candidate: Candidate, ground: Ground) -> tuple[Any, list[Example]]:
    """Return task and examples as a run that learned cosines compares embeddings; else as they are."""
    task, examples = ground.task, ground.part.examples
    own = read_settings(candidate.checkpoint.folder / "homeground.json").get("similarity")
    if not (isinstance(task, Similarity) and task.scored and own == "cosine" and task.kind == "angular"):
        return task, examples
    if task.score_range is not None:
        # On the scale of angles an unrelated pair stands at 0.5, on that of cosines at 0.
        examples = [replace(example, score=2 * (example.score or 0.0) - 1) for example in examples]
    return replace(task, loss="cosine_mse"), examples


def _baselines(ground: Ground, first: Candidate) -> dict[str, Measured]:
    """Return what cheap methods score on the same examples, by name."""
    task, examples = ground.task, ground.examples
    found: dict[str, NDArray[np.float64]] = {}
    for held in ground.rounds:
        learned, asked = ([examples[place] for place in np.flatnonzero(side)] for side in (~held, held))
        for name, given in task.baselines(Split(learned), Split(asked)).items():
            found.setdefault(name, np.full((len(examples), *given.shape[1:]), np.nan))[held] = given
    if ground.rounds:
        found = {name: given[np.any(ground.rounds, axis=0)] for name, given in found.items()}
    else:
        found = task.baselines(Split(examples), Split(examples))
    rows = _scored_rows(first, ground)
    return {name: task.measure(rows, given) for name, given in found.items()}


def _scored_rows(candidate: Candidate, ground: Ground) -> Any:
    return ground.task.tokenize(ground.part.examples, candidate.tokenizer, candidate.padding)


def _record(
    ground: Ground,
    candidates: Sequence[Candidate],
    tried: Mapping[str, Tried],
    seen: Mapping[str, int],
    baselines: Mapping[str, Measured],
) -> dict[str, Any]:
    task, corpus, metric = ground.task, ground.corpus, ground.task.primary_metric
    order = _order(candidates, tried, seen, ground)
    top = tried[order[0].checkpoint.name].measured
    listed = [_listed(each, tried[each.checkpoint.name], seen[each.checkpoint.name], top, ground) for each in order]
    beside = [{"name": name, **_standing(ground, measured, top)} for name, measured in baselines.items()]
    return {
        "version": 1,
        "task": task.name,
        "data": ground.recipe.data,
        "understood": task.understood(),
        "primary_metric": metric,
        "best": order[0].checkpoint.name,
        "sentence": _sentence(metric, listed, beside, len(ground.part)),
        "checkpoints": listed,
        "baselines": beside,
        "examples": len(ground.part),
        "units": listed[0]["interval"]["units"],
        "unit": ground.part.units.rule,
        "folds": len(ground.rounds) if len(ground.rounds) > 1 else None,
        "test_examples_unasked": 0 if corpus.folds is not None else len(corpus.test),
        "set_aside": corpus.record["set_aside"],
        "notes": _notes(ground),
    }


def _order(
    candidates: Sequence[Candidate], tried: Mapping[str, Tried], seen: Mapping[str, int], ground: Ground
) -> list[Candidate]:
    """Return the candidates, the best first; those that learned from the examples come last, whatever they score."""
    metric = ground.task.primary_metric
    sign = 1 if ground.task.greater_is_better[metric] else -1

    def rank(candidate: Candidate) -> tuple[bool, float]:
        name = candidate.checkpoint.name
        score = tried[name].measured.scores.get(metric)
        return not seen[name], -np.inf if score is None else sign * score

    return sorted(candidates, key=rank, reverse=True)


def _listed(candidate: Candidate, tried: Tried, seen: int, best: Measured, ground: Ground) -> dict[str, Any]:
    return {
        "name": candidate.checkpoint.name,
        "sha256": candidate.checkpoint.sha256,
        "parameters": candidate.parameters,
        "dimensions": tried.dimensions,
        "max_length": candidate.max_length,
        "pooling": tried.pooling,
        "truncated": tried.truncated,
        "seen_in_training": seen,
        "seconds": round(tried.seconds, 1),
        **_standing(ground, tried.measured, best, seen=bool(seen)),
    }


def _standing(ground: Ground, measured: Measured, best: Measured, *, seen: bool = False) -> dict[str, Any]:
    """Return scores, their interval, and where they stand against the best."""
    task, recipe, units = ground.task, ground.recipe, ground.part.units
    metric, draws = task.primary_metric, recipe.evaluation.bootstrap_draws
    own = own_interval(measured.statistics, task.metrics[metric], units.nodes, seed=recipe.seed, draws=draws)
    too_rare = task.too_rare(metric, measured, units)
    if seen:
        word, against = "SEEN", None
    elif measured is best:
        word, against = ("TOO FEW" if too_rare or _too_few(own) else "BEST"), None
    else:
        against = difference(task, metric, best, measured, units, Resampling(recipe.seed, draws))
        word = "TOO FEW" if too_rare else _word(against, task.discordant(best, measured))
    return {
        "scores": measured.scores,
        "interval": described(own, too_rare),
        "difference": against and described(against, too_rare),
        "standing": word,
    }


def _word(against: Interval, discordant: int | None) -> str:
    if _too_few(against):
        return "TOO FEW"
    if discordant is not None and discordant < FEWEST_DISCORDANT:
        return "NOT TOLD APART"
    return "WORSE" if against.high < 0 else "BETTER" if against.low > 0 else "NOT TOLD APART"


def _too_few(interval: Interval) -> bool:
    return interval.units < FEWEST_UNITS or interval.effective_units < FEWEST_EFFECTIVE_UNITS


def _sentence(
    metric: str, listed: Sequence[Mapping[str, Any]], beside: Sequence[Mapping[str, Any]], examples: int
) -> str:
    best, *others = [each for each in listed if each["standing"] != "SEEN"]
    value = best["scores"].get(metric)
    score = f"{METRIC_NAMES.get(metric, metric)} {'not defined' if value is None else f'{value:.3f}'}"
    first = f"{best['name']} scores best, {score}" if others else f"{best['name']} has {score}"
    learned = [
        f"; {each['name']} learned from {each['seen_in_training']} of the {examples} examples and cannot be chosen"
        for each in listed
        if each["standing"] == "SEEN"
    ]
    if best["standing"] == "TOO FEW":
        few = best["interval"]["units"]
        advice = f"but {few} independent units, so unequal ones or so few of some class, tell nothing; take more data"
        return f"TOO FEW: {first}, {advice}{''.join(learned)}."
    alike = [each["name"] for each in others if each["standing"] != "WORSE"]
    told = f", but cannot be told apart from {' and '.join(alike)}" if alike else ", and the others are worse"
    told = told if others else ", and stands alone"
    cheap = [each["name"] for each in beside if each["standing"] != "WORSE"]
    below = f"; it is not shown to beat {' and '.join(cheap)}" if cheap else ""
    return f"{first}{told}{below}{''.join(learned)}."


def _notes(ground: Ground) -> list[str]:
    said = [f"the {len(ground.corpus.test)} test examples of adapt were not looked at"]
    if ground.corpus.folds is not None:
        said = [
            "the data is so small that adapt would cross-fit all of it, so no test split could be left alone; its "
            "verdict on this data is a little too kind to the checkpoint chosen here"
        ]
    return [*said, "the best of several looks better than it is: its score here is for choosing, not for promising"]
