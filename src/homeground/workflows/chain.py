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
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from homeground.data.documents import with_texts
from homeground.data.leakage import TrainingHashes
from homeground.data.sources.in_memory import takes_tables
from homeground.errors import RunConflict, UsageError
from homeground.evaluation.comparison import Circumstances, PairedComparison, judge
from homeground.evaluation.left_out import LeftOut
from homeground.experiment.cross_fitting import AS_READ
from homeground.experiment.estimate import Estimate, estimate
from homeground.experiment.scoring import stored_measurements
from homeground.experiment.setup import Setup, prepare
from homeground.recipe.chain import TEST_TEXTS, Chain, naming, read_chain
from homeground.recipe.recipe import Recipe
from homeground.reports.report import write_report
from homeground.results.chain import (
    CHAIN_VERSION,
    ChainComparisons,
    ChainRecord,
    ChainScores,
    ChainTestTexts,
    SeenBySteps,
)
from homeground.results.data import CheckpointRecord
from homeground.results.ledger import count_verdict
from homeground.results.parts import TestSetRecord
from homeground.results.run import CHAIN_FILE, Run
from homeground.results.scores import Judgement
from homeground.results.summary import prose
from homeground.results.writing import judgement_fields
from homeground.statistics.holm import judge_together
from homeground.storage import (
    as_json,
    aside,
    holds_files,
    locked,
    read_array,
    remove_litter,
    write_json,
    write_json_lines,
    written_to,
)
from homeground.tasks.task import Measurement
from homeground.training.events import Notice, OnEvent, ignore
from homeground.workflows.common_test import refuse_other_tokens
from homeground.workflows.company import all_in_company
from homeground.workflows.progress import reported
from homeground.workflows.resume_or_run import resume_or_run

COMPARISONS = {
    "task": (("plain", 0), ("plain", 1), ("before", "after the task alone")),
    "chain": (("plain", 0), ("adapted", 1), ("before", "after both steps")),
    "domain": (("plain", 1), ("adapted", 1), ("without the domain step", "with it")),
}
"""What is compared: of which run, before (0) or after (1), and what the sentence calls the two."""

KEPT_FIELDS = (
    "verdict",
    "sentence",
    "reason",
    "scope",
    "sides",
    "difference",
    "differences",
    "smallest_detectable",
    "units_needed",
    "left_out",
)
"""What chain.json says of a comparison."""


@takes_tables
def adapt_chain(
    path: str | PathLike[str],
    /,
    *,
    fresh: bool = False,
    processes: int = 1,
    quiet: bool = False,
    on_event: OnEvent | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Carry out a chain and return chain.json, which docs/chain.md describes.

    ``settings`` overlay the file: ``checkpoint``, ``revision``, ``engine``, ``seed``, ``out`` and ``keep_test_texts``,
    and those of a step after its name, e.g. ``**{"task.epochs": 2}``. ``fresh`` moves an earlier chain aside;
    ``processes`` learn together, as in ``adapt``.
    Progress is shown in a terminal and in a notebook unless ``quiet``; ``on_event`` gets what happens instead.

    Raises:
        HomegroundError: errors.py lists what can go wrong; the message begins with the step.
    """
    chain = read_chain(path, **settings)
    (domain_recipe, plain_recipe), company = all_in_company([chain.domain, chain.plain], processes)
    chain = replace(chain, domain=domain_recipe, plain=plain_recipe)
    with company, _opened(chain.folder, fresh=fresh), reported(on_event, quiet=quiet) as on_event:
        # Before anything long begins, both files are read and checked.
        plain = _prepare("plain", chain.plain, on_event)
        if chain.test_texts is not None:
            write_json_lines(chain.test_texts, _texts(plain))
        domain = _prepare("domain", chain.domain, on_event)
        plain = _comparable(chain, plain, domain, on_event)
        _run_step("domain", domain, on_event)
        _run_step("plain", plain, on_event)
        # Who keeps the texts of the test in the domain step does not want them left out of the test.
        earlier = TrainingHashes.of_run(plain.checkpoint.run) if chain.keep_test_texts else None
        adapted = _prepare("adapted", chain.adapted, on_event, earlier)
        _refuse_unlike(plain, adapted)
        run = _run_step("adapted", adapted, on_event)
        record = _record(chain, domain, plain, adapted).to_json()
        for path in (run.folder / CHAIN_FILE, chain.folder / CHAIN_FILE):
            if not path.is_file() or path.read_bytes() != as_json(record).encode():
                write_json(path, record)
        run.list_file(CHAIN_FILE)
        write_report(run.folder)
        return record


@dataclass(frozen=True)
class ChainEstimate:
    """What the steps of a chain will take; "adapted" takes as long as "plain"."""

    steps: dict[str, Estimate]
    folder: Path

    @property
    def minutes(self) -> float:
        """Minutes of all steps together."""
        return self.steps["domain"].minutes + 2 * self.steps["plain"].minutes

    def to_json(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        steps = {name: step.to_json() for name, step in self.steps.items()}
        return {"steps": steps, "minutes": self.minutes, "folder": str(self.folder)}


def estimate_chain(
    path: str | PathLike[str], /, *, processes: int = 1, on_event: OnEvent = ignore, **settings: Any
) -> ChainEstimate:
    """Return what the steps of a chain will take; nothing is written."""
    chain = read_chain(path, **settings)
    (domain, plain), _ = all_in_company([chain.domain, chain.plain], processes)
    if chain.test_texts is not None:
        # The texts are written once the chain begins; what they leave out is seldom much.
        domain = domain.model_copy(update={"split": domain.split.model_copy(update={"leave_out": None})})
    recipes = {"plain": plain, "domain": domain}
    steps = {name: estimate(_prepare(name, recipe, on_event)) for name, recipe in recipes.items()}
    return ChainEstimate(steps, chain.folder)


def _record(chain: Chain, domain: Setup, plain: Setup, adapted: Setup) -> ChainRecord:
    """Return chain.json: the scores of every stage, and the three comparisons."""
    measured = {"plain": stored_measurements(plain), "adapted": stored_measurements(adapted)}
    number = _verdict_number(chain.folder, plain.record.test_hash, domain, plain, adapted)
    test_set = TestSetRecord(hash=plain.record.test_hash, verdict_number=number)
    comparisons = {
        name: _with_sentence(Judgement(**judgement_fields(each), test_set=test_set, cross_fit=plain.record.split.folds))
        for name, each in _compare(plain, adapted, measured).items()
    }
    last = comparisons["domain"]
    return ChainRecord(
        version=CHAIN_VERSION,
        state="finished",
        checkpoint=CheckpointRecord(name=plain.checkpoint.name, sha256=plain.checkpoint.sha256),
        task=plain.task.info.name,
        data=plain.recipe.data,
        domain_data=domain.recipe.data,
        primary_metric=plain.test.primary_metric,
        verdict=last.verdict,
        sentence=last.sentence,
        scores=ChainScores(
            before=measured["plain"][0].scores,
            domain=measured["adapted"][0].scores,
            plain=measured["plain"][1].scores,
            adapted=measured["adapted"][1].scores,
        ),
        comparisons=ChainComparisons(
            **{
                name: Judgement(**{key: getattr(each, key) for key in KEPT_FIELDS})
                for name, each in comparisons.items()
            }
        ),
        **{name: getattr(last, name) for name in ("test_examples", "test_units", "unit")},
        cross_fit=plain.record.split.folds,
        test_set=test_set,
        seen_in_training=SeenBySteps(plain=len(plain.contamination.rows), adapted=len(adapted.contamination.rows)),
        test_texts=ChainTestTexts(left_out=_left_out(domain), learned=adapted.contamination.texts),
        folder=str(chain.folder),
    )


def _with_sentence(judgement: Judgement) -> Judgement:
    return judgement.model_copy(update={"sentence": prose(judgement)})


def _compare(
    plain: Setup, adapted: Setup, measured: dict[str, tuple[Measurement, Measurement]]
) -> dict[str, PairedComparison]:
    """Return the three comparisons, at the levels at which they may be said together."""
    seen = {"plain": plain.overlap[0], "adapted": adapted.overlap[0]}

    def judged(name: str, level: float) -> PairedComparison:
        (first, before), (second, after), sides = COMPARISONS[name]
        return judge(
            replace(plain.test, resampling=replace(plain.test.resampling, level=level)),
            measured[first][before],
            [measured[second][after]],
            circumstances=Circumstances(
                left_out=_with_left_out(plain, adapted, ((first, before), (second, after)), level),
                overlap=seen[second],
                # What a model that has not learned the task has seen of it is not counted, as in a run.
                overlap_before=seen[first] if before else 0,
                sides=sides,
            ),
        )

    return judge_together(list(COMPARISONS), judged, lambda comparison: comparison.verdict.word)


def _with_left_out(
    plain: Setup, adapted: Setup, sides: tuple[tuple[str, int], tuple[str, int]], level: float
) -> LeftOut | None:
    """Return what two stages score with the test examples that are left out, from the predictions the runs stored."""
    test = plain.test_as_read
    if test is None:
        return None
    stored = {name: read_array(setup.folder / AS_READ) for name, setup in (("plain", plain), ("adapted", adapted))}
    before, after = (test.measure_predictions(stored[name][side]) for name, side in sides)
    rows = adapted.contamination.seen
    counts = {name: len(each) for name, each in rows.items()}
    test = replace(test, resampling=replace(test.resampling, level=level))
    return LeftOut(len(adapted.contamination.rows), counts, adapted.where_seen, test, before, after)


def _verdict_number(folder: Path, test_hash: str, *steps: Setup) -> int:
    """Count the verdict in the ledger beside the chain's folder, where those of other runs and chains are counted."""
    fingerprint = hashlib.sha256(json.dumps([setup.identity for setup in steps], sort_keys=True).encode()).hexdigest()
    place = folder.resolve()
    return count_verdict(place.parent, test_hash=test_hash, run=place.name, fingerprint=fingerprint)


def _left_out(domain: Setup) -> int:
    """Return how many texts of the domain were left out because they hold a text of the test."""
    return sum(skipped.count for skipped in domain.record.set_aside if skipped.reason == f"a text of {TEST_TEXTS}")


def _refuse_unlike(plain: Setup, adapted: Setup) -> None:
    """Refuse two runs of the task that differ in more than the weights they began with."""
    refuse_other_tokens(plain, adapted)
    for what, one, other in (
        ("test split", plain.record.test_hash, adapted.record.test_hash),
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


def _rows(setup: Setup) -> list[int]:
    return [example.row for example in setup.corpus.test.examples]


def _folds(setup: Setup) -> list[int] | None:
    folds = setup.corpus.folds
    return None if folds is None else folds.tolist()


def _texts(setup: Setup) -> list[dict[str, Any]]:
    """Return the distinct texts of the test examples, a line each."""
    tested = setup.corpus.as_read.test.examples
    distinct = dict.fromkeys(text for _, texts in with_texts(tested) for text in texts)
    return [{"text": text} for text in distinct]


def _prepare(step: str, recipe: Recipe, on_event: OnEvent, earlier: TrainingHashes | None = None) -> Setup:
    with naming(step):
        return prepare(recipe, report=lambda text: on_event(Notice(f"[{step}] {text}")), earlier=earlier)


def _comparable(chain: Chain, plain: Setup, domain: Setup, on_event: OnEvent) -> Setup:
    """Return "plain" without the test examples that the domain step learns from, which "adapted" is tested without."""
    learned = domain.training_hashes
    if chain.keep_test_texts or not learned.seen(plain.corpus.test.examples).any():
        return plain
    return _prepare("plain", chain.plain, on_event, TrainingHashes.of_run(plain.checkpoint.run) | learned)


def _run_step(step: str, setup: Setup, on_event: OnEvent) -> Run:
    on_event(Notice(f"[{step}] {setup.checkpoint.name} learns from {setup.recipe.data}"))
    with naming(step):
        run = resume_or_run(setup, on_event)
    on_event(Notice(f"[{step}] {run.sentence}"))
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
        if holds_files(folder) and not (folder / CHAIN_FILE).is_file():
            raise RunConflict(f"{folder} is not empty and holds no chain; name another folder with --out")
        if fresh and folder.exists():
            folder.rename(aside(folder))
        with written_to(folder):
            folder.mkdir(exist_ok=True)
        remove_litter(folder)
        if not (folder / CHAIN_FILE).is_file():
            write_json(folder / CHAIN_FILE, {"version": CHAIN_VERSION, "state": "running"})
        yield
