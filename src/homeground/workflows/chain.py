"""A chain: a checkpoint learns the domain's plain text first and then the task; and what that first step was worth.

    domain      the checkpoint on the domain's text
    plain       the task from the checkpoint as it is
    adapted     the task from "domain"
    chain.json  what the domain step contributed: "adapted" against "plain" on one test split

Each step is a run as any other, in a folder of its own inside the chain's. The same chain again goes on where the last
one stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from homeground.data.documents import with_texts
from homeground.errors import RunConflict, UsageError
from homeground.evaluation.comparison import Resampling, judge
from homeground.experiment.estimate import estimate
from homeground.experiment.preparation import Prepared, prepare
from homeground.experiment.training_run import PREDICTIONS, Listener, Note
from homeground.recipe.chain import TEST_TEXTS, Chain, naming, read_chain
from homeground.recipe.recipe import Recipe
from homeground.reports.report import write_report
from homeground.results.ledger import count_verdict
from homeground.results.run import Run
from homeground.statistics.holm import judge_together
from homeground.storage import aside, locked, read_array, write_json, write_json_lines, written_to
from homeground.tasks.task import Measured
from homeground.workflows.adapt import follow

VERSION = 1

RECORD = "chain.json"
"""What the steps were worth; in the chain's folder, and in that of "adapted" for its report."""

COMPARISONS = {
    "task": (("plain", 0), ("plain", 1), ("before", "after the task alone")),
    "chain": (("plain", 0), ("adapted", 1), ("before", "after both steps")),
    "domain": (("plain", 1), ("adapted", 1), ("without the domain step", "with it")),
}
"""What is compared: of which run, before (0) or after (1), and what the sentence calls the two."""

KEPT = ("verdict", "sentence", "difference", "differences", "smallest_detectable", "units_needed")
"""What chain.json says of a comparison."""


def adapt_chain(
    path: str | Path, /, *, fresh: bool = False, listen: Listener | None = None, **settings: Any
) -> dict[str, Any]:
    """Carry out a chain and return what chain.json says; docs/chain.md describes it.

    ``settings`` overlay the file: ``checkpoint``, ``revision``, ``engine``, ``seed``, ``out`` and ``keep_test_texts``,
    and those of a step after its name, e.g. ``**{"task.epochs": 2}``. ``fresh`` moves an earlier chain aside.

    Raises:
        HomegroundError: errors.py lists what can go wrong; the message begins with the step.
    """
    chain = read_chain(path, **settings)
    tell = listen or (lambda _: None)
    with _opened(chain.folder, fresh=fresh):
        # Before anything long begins, both files are read and checked.
        plain = _prepare("plain", chain.plain, tell)
        if chain.test_texts is not None:
            write_json_lines(chain.test_texts, _texts(plain))
        domain = _prepare("domain", chain.domain, tell)
        _follow("domain", domain, tell)
        _follow("plain", plain, tell)
        adapted = _prepare("adapted", chain.adapted, tell)
        _refuse_unlike(plain, adapted)
        run = _follow("adapted", adapted, tell)
        record = _record(chain, domain, plain, adapted)
        for folder in (run.folder, chain.folder):
            write_json(folder / RECORD, record)
        write_report(run.folder)
        return record


def estimate_chain(path: str | Path, /, *, listen: Listener | None = None, **settings: Any) -> dict[str, Any]:
    """Return what the steps of a chain will take; "adapted" is taken to be as long as "plain". Nothing is written."""
    chain = read_chain(path, **settings)
    tell = listen or (lambda _: None)
    domain = chain.domain
    if chain.test_texts is not None:
        # The texts are written once the chain begins; what they leave out is seldom much.
        domain = domain.model_copy(update={"split": domain.split.model_copy(update={"leave_out": None})})
    recipes = {"plain": chain.plain, "domain": domain}
    steps = {name: estimate(_prepare(name, recipe, tell)) for name, recipe in recipes.items()}
    minutes = steps["domain"]["minutes"] + 2 * steps["plain"]["minutes"]
    return {"steps": steps, "minutes": minutes, "folder": str(chain.folder)}


def _record(chain: Chain, domain: Prepared, plain: Prepared, adapted: Prepared) -> dict[str, Any]:
    """Return what chain.json says: the scores of every stage, and the three comparisons."""
    measured = {"plain": _measured(plain), "adapted": _measured(adapted)}
    test_hash = plain.corpus.record["test_hash"]
    number = _verdict_number(chain.folder, test_hash, domain, plain, adapted)
    found = _compared(plain, adapted, measured, number)
    last = found["domain"]
    return {
        "version": VERSION,
        "state": "finished",
        "checkpoint": {"name": plain.checkpoint.name, "sha256": plain.checkpoint.sha256},
        "task": plain.task.name,
        "data": plain.recipe.data,
        "domain_data": domain.recipe.data,
        "primary_metric": plain.task.primary_metric,
        "verdict": last["verdict"],
        "sentence": last["sentence"],
        "scores": {
            "before": measured["plain"][0].scores,
            "domain": measured["adapted"][0].scores,
            "plain": measured["plain"][1].scores,
            "adapted": measured["adapted"][1].scores,
        },
        "comparisons": {name: {key: each[key] for key in KEPT} for name, each in found.items()},
        **{name: last[name] for name in ("test_examples", "test_units", "unit")},
        "cross_fit": plain.corpus.record["split"]["folds"],
        "test_set": {"hash": test_hash, "verdict_number": number},
        "seen_in_training": {"plain": len(plain.seen_in_training), "adapted": len(adapted.seen_in_training)},
        "test_texts": {"left_out": _left_out(domain), "learned": adapted.texts_seen_in_training},
        "folder": str(chain.folder),
    }


def _compared(
    plain: Prepared, adapted: Prepared, measured: dict[str, tuple[Measured, Measured]], number: int
) -> dict[str, dict[str, Any]]:
    """Return the three comparisons, at the levels at which they may be said together."""
    recipe = plain.recipe
    seen = {"plain": len(plain.seen_in_training), "adapted": len(adapted.seen_in_training)}

    def judged(name: str, level: float) -> dict[str, Any]:
        (first, one), (second, other), sides = COMPARISONS[name]
        return judge(
            plain.task,
            plain.corpus.test,
            measured[first][one],
            measured[second][other],
            Resampling(recipe.seed, recipe.evaluation.bootstrap_draws, level),
            overlap=seen[second],
            # What a model that has not learned the task has seen of it is not counted, as in a run.
            overlap_before=seen[first] if one else 0,
            verdict_number=number,
            folds=plain.corpus.record["split"]["folds"],
            sides=sides,
        )

    return judge_together(list(COMPARISONS), judged)


def _verdict_number(folder: Path, test_hash: str, *steps: Prepared) -> int:
    """Count the verdict in the ledger beside the chain's folder, where those of other runs and chains are counted."""
    fingerprint = hashlib.sha256(json.dumps([ready.identity for ready in steps], sort_keys=True).encode()).hexdigest()
    place = folder.resolve()
    return count_verdict(place.parent, test_hash=test_hash, run=place.name, fingerprint=fingerprint)


def _left_out(domain: Prepared) -> int:
    """Return how many texts of the domain were left out because they hold a text of the test."""
    aside = domain.record["set_aside"]
    return sum(each["count"] for each in aside if each["reason"] == f"a text of {TEST_TEXTS}")


def _measured(ready: Prepared) -> tuple[Measured, Measured]:
    """Return what was measured of a finished run, before and after, from the predictions it stored."""
    path = ready.folder / PREDICTIONS
    if not path.is_file():
        raise RunConflict(f"{path} is missing, as in runs of an earlier version; give the command with --fresh")
    before, after = (ready.task.measure(ready.test_rows, given) for given in read_array(path))
    return before, after


def _refuse_unlike(plain: Prepared, adapted: Prepared) -> None:
    """Refuse two runs of the task that differ in more than the weights they began with."""
    for what, one, other in (
        ("test split", plain.corpus.record["test_hash"], adapted.corpus.record["test_hash"]),
        ("order of the test", _rows(plain), _rows(adapted)),
        ("folds", _folds(plain), _folds(adapted)),
        ("labels", plain.task.labels, adapted.task.labels),
        ("max_length", plain.max_length, adapted.max_length),
    ):
        if one != other:
            raise UsageError(
                f"[task] the runs from the checkpoint and from the domain step differ in their {what}, so nothing can "
                "be said of the step; let no file change between them, begin with a checkpoint that has no labels of "
                "its own, and set max_length"
            )


def _rows(ready: Prepared) -> list[int]:
    return [example.row for example in ready.corpus.test.examples]


def _folds(ready: Prepared) -> list[int] | None:
    folds = ready.corpus.folds
    return None if folds is None else [int(fold) for fold in np.asarray(folds)]


def _texts(ready: Prepared) -> list[dict[str, Any]]:
    """Return the distinct texts of the test examples, a line each."""
    found = dict.fromkeys(text for _, texts in with_texts(ready.corpus.test.examples) for text in texts)
    return [{"text": text} for text in found]


def _prepare(step: str, recipe: Recipe, tell: Listener) -> Prepared:
    with naming(step):
        return prepare(recipe, say=lambda text: tell(Note(f"[{step}] {text}")))


def _follow(step: str, ready: Prepared, tell: Listener) -> Run:
    tell(Note(f"[{step}] {ready.checkpoint.name} learns from {ready.recipe.data}"))
    with naming(step):
        run = follow(ready, tell)
    tell(Note(f"[{step}] {run.verdict}"))
    return run


@contextlib.contextmanager
def _opened(folder: Path, *, fresh: bool) -> Generator[None]:
    """Lock the folder of a chain, and begin the chain where the folder holds none.

    Raises:
        RunConflict: the folder holds something else.
    """
    if folder.is_file():
        raise RunConflict(f"{folder} is a file; name a folder for the chain with --out")
    with written_to(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if folder.exists() and any(folder.iterdir()) and not (folder / RECORD).is_file():
            raise RunConflict(f"{folder} is not empty and holds no chain; name another folder with --out")
        if fresh and folder.exists():
            folder.rename(aside(folder))
        with written_to(folder):
            folder.mkdir(exist_ok=True)
        if not (folder / RECORD).is_file():
            write_json(folder / RECORD, {"version": VERSION, "state": "running"})
        yield
