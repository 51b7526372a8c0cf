"""A recipe made concrete: checkpoint, task, examples and evaluation sets, checked against each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeground.checkpoint import (
    Checkpoint,
    learned_texts,
    load_tokenizer,
    open_checkpoint,
    padding_id,
    require_encoder,
)
from homeground.data.corpus import Corpus, link, read_corpus, read_file
from homeground.data.examples import Example
from homeground.data.leakage import Contamination, TrainingHashes
from homeground.data.tokenized import TextTokens
from homeground.data.units import PairUnits
from homeground.errors import UsageError
from homeground.evaluation.evaluation_set import EvaluationSet, Resampling
from homeground.evaluation.general_sets import Domain, GeneralExamples, read_general_sets
from homeground.evaluation.merging import MERGE_DRAWS
from homeground.experiment.data_record import data_notes, data_record
from homeground.experiment.refusals import refuse_before_start, refuse_missing, refuse_new_head
from homeground.experiment.splits import Tokenize, TrainingSplits
from homeground.recipe.recipe import FILES, Recipe, names_benchmark
from homeground.results.data import DataRecord
from homeground.tasks import choose_task
from homeground.tasks.task import Task, TaskInfo, TokenizedExamples


@dataclass(frozen=True)
class Setup:
    """Everything that the trainings of a recipe need; nothing of it changes afterwards.

    ``test`` are the test examples, all examples where folds are cross-fitted. ``general`` are the general examples that
    decide, of which ``general_seen`` were learned from, ``keep_general`` those that choose how much is kept; each is
    None where there are none. ``training_hashes`` are those of every text that the adapted model has learned from or
    was chosen by, earlier runs included.
    """

    recipe: Recipe
    checkpoint: Checkpoint
    task: Task
    corpus: Corpus
    tokens: TextTokens
    max_length: int
    test: EvaluationSet
    splits: TrainingSplits
    general: EvaluationSet | None
    keep_general: EvaluationSet | None
    training_hashes: TrainingHashes
    contamination: Contamination
    general_seen: int
    hashes: dict[str, str]
    record: DataRecord

    @property
    def folder(self) -> Path:
        """The run folder."""
        return run_folder(self.recipe, self.task.info.name)

    @property
    def test_examples(self) -> TokenizedExamples:
        """The test examples with their rows."""
        return TokenizedExamples(self.corpus.test.examples, self.test.rows)

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run: settings and contents, whatever names the files and the run go by."""
        recipe = self.recipe.model_dump(mode="json", exclude={"out": True, "data": True, "checkpoint": True})
        recipe["task"] = self.task.info.name
        # Which texts to label next may be asked of a finished run.
        for name in ("unlabelled", "label_next"):
            del recipe["annotation"][name]
        for section, name in FILES[1:]:
            if isinstance(recipe[section].get(name), str):
                recipe[section][name] = "file"
        return {"recipe": recipe, "data": self.hashes, "checkpoint": self.checkpoint.sha256}


def prepare(recipe: Recipe, *, report: Callable[[str], None] = lambda _: None) -> Setup:
    """Read everything a recipe names and check that it fits together; writes nothing.

    Raises:
        HomegroundError: what cannot be read, found or trusted, in the user's words.
    """
    _refuse_missing_files(recipe)
    table = read_file(recipe.data, recipe)
    spec = choose_task(table, recipe)
    recipe = recipe.for_task(spec.info.name, spec.info.defaults)
    report(f"{recipe.data}: {spec.info.description}")
    corpus = read_corpus(table, recipe, spec.read, columns=spec.info.columns)
    refuse_before_start(recipe, spec.info, corpus)
    checkpoint = open_checkpoint(recipe.checkpoint, revision=recipe.revision)
    require_encoder(checkpoint)
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    task = spec.with_splits({split: part.examples for split, part in parts.items()}, checkpoint)
    refuse_new_head(recipe, spec, checkpoint)
    max_length = longest_input(recipe, spec.info, checkpoint)
    tokenizer = load_tokenizer(checkpoint, max_length=max_length)
    tokens = TextTokens(tokenizer, padding_id(checkpoint, tokenizer))

    def tokenize(task: Task, examples: Sequence[Example]) -> Any:
        return task.tokenize(examples, tokens)

    domain_examples = [example for part in parts.values() for example in part.examples]
    decides, chooses = read_general_sets(Domain(recipe, spec, task, checkpoint, domain_examples))
    test = _evaluation_set("test", task, tokenize(task, corpus.test.examples), corpus.test.units, recipe)
    splits = TrainingSplits(recipe, corpus, task, tokenize)
    training_hashes, contamination = _contamination(checkpoint, corpus, chooses)
    record = data_record(
        recipe, checkpoint, task, corpus, max_length, test, splits, (decides, chooses), contamination, domain_examples
    )
    setup = Setup(
        recipe=recipe,
        checkpoint=checkpoint,
        task=task,
        corpus=corpus,
        tokens=tokens,
        max_length=max_length,
        test=test,
        splits=splits,
        general=_general_set(decides, tokenize, recipe, recipe.evaluation.bootstrap_draws),
        keep_general=_general_set(chooses, tokenize, recipe, MERGE_DRAWS),
        training_hashes=training_hashes,
        contamination=contamination,
        general_seen=0 if decides is None else int(training_hashes.seen(decides.examples).sum()),
        hashes=_hashes(recipe, corpus, decides, chooses),
        record=record,
    )
    _refuse_own_checkpoint(setup)
    for line in data_notes(record):
        report(line)
    return setup


def _evaluation_set(
    name: str, task: Task, rows: Any, units: PairUnits, recipe: Recipe, draws: int | None = None
) -> EvaluationSet:
    evaluation = recipe.evaluation
    resampling = Resampling(recipe.seed, draws or evaluation.bootstrap_draws)
    return EvaluationSet(name, task, rows, units, evaluation.evaluation_batch_size, resampling)


def _general_set(
    general: GeneralExamples | None, tokenize: Tokenize, recipe: Recipe, draws: int
) -> EvaluationSet | None:
    if general is None:
        return None
    rows = tokenize(general.task, general.examples)
    return _evaluation_set(general.name, general.task, rows, link(general.examples), recipe, draws)


def run_folder(recipe: Recipe, task: str) -> Path:
    """Return the folder of a recipe's run: the one it names, else ``runs/<data name>-<task>``."""
    if recipe.out:
        folder = Path(recipe.out)
        return folder if folder.name else folder.resolve()
    stem = re.sub(r"[^\w-]+", "-", Path(recipe.data).name.split(".")[0]).strip("-")
    return Path("runs") / f"{stem or 'data'}-{task}"


def longest_input(recipe: Recipe, info: TaskInfo, checkpoint: Checkpoint) -> int:
    """Return the tokens a text, or a block of plain text, may have.

    Raises:
        UsageError: the recipe asks for more than the checkpoint reads.
    """
    usual = min(info.usual_length or checkpoint.max_length, checkpoint.max_length)
    longest = recipe.encoder.max_length or usual
    if longest > checkpoint.max_length:
        raise UsageError(f"--max-length {longest}: {checkpoint.name} reads at most {checkpoint.max_length} tokens")
    return longest


def _refuse_missing_files(recipe: Recipe) -> None:
    split, evaluation = recipe.split, recipe.evaluation
    files = (split.validation, split.test, split.leave_out, evaluation.general, evaluation.keep_general)
    for path in (*files, recipe.annotation.unlabelled):
        if isinstance(path, str) and not names_benchmark(path):
            refuse_missing(path)


def _refuse_own_checkpoint(setup: Setup) -> None:
    run, folder = setup.checkpoint.run, setup.folder
    if run is not None and run.resolve() == folder.resolve():
        raise UsageError(f"--out {folder} is the run that is the checkpoint; name another folder for the new run")


def _contamination(
    checkpoint: Checkpoint, corpus: Corpus, keep_general: GeneralExamples | None
) -> tuple[TrainingHashes, Contamination]:
    """Return what the adapted model has learned from or was chosen by, earlier runs included, and what the test has."""
    earlier = TrainingHashes(learned_texts(checkpoint))
    validation, chose = corpus.validation.examples, keep_general.examples if keep_general else []
    learned = earlier | TrainingHashes.of([*corpus.train.examples, *validation, *chose])
    seen = learned
    if corpus.folds is not None:
        # Each fold's model learned from the others only; a validation file chose the weights of all.
        seen = earlier | TrainingHashes.of(validation if "validation" in corpus.hashes else [])
    return learned, Contamination.of(corpus.test.examples, seen, earlier)


def _hashes(
    recipe: Recipe, corpus: Corpus, general: GeneralExamples | None, keep_general: GeneralExamples | None
) -> dict[str, str]:
    """Return the hash of every file that the results depend on, by its part."""
    evaluation = recipe.evaluation
    named = {
        "general": general if evaluation.general else None,
        "keep_general": keep_general if evaluation.keep_general else None,
    }
    return corpus.hashes | {name: examples.sha256 for name, examples in named.items() if examples}
