"""The general set: examples from outside the domain, to see what an adaptation costs.

Scored pairs are measured on the body; for a classifier the set may also hold texts with the domain's own labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from homeground.checkpoint.download import fetch
from homeground.data.corpus import link
from homeground.data.documents import with_texts
from homeground.data.examples import Example, Examples
from homeground.data.segmentation import unspaced_share
from homeground.data.streams import open_rows
from homeground.data.tables import Table, read_table
from homeground.errors import CheckpointError, DataError, HomegroundError, HubError, UsageError
from homeground.randomness import generator
from homeground.recipe.recipe import Recipe, names_benchmark
from homeground.recipe.sections import Columns, Evaluation, Training
from homeground.storage import file_hash
from homeground.tasks.classification.classification import Classification
from homeground.tasks.classification.labels import LABEL_NAMES
from homeground.tasks.mlm.mlm import MaskedLanguageModelling, find_text
from homeground.tasks.similarity import Similarity, find_columns
from homeground.tasks.task import Task

STS_COLUMNS = ("genre", "file", "year", "id", "score", "sent1", "sent2")
STS_GENRES = ("main-captions\t", "main-news\t", "main-forums\t", "main-forum\t")
FEWEST = 2
STS_RANGE = (0.0, 5.0)


@dataclass(frozen=True)
class Benchmark:
    """A general set that is known by name: its data set on the Hub at one commit, and how its scores are meant."""

    repository: str
    revision: str
    decides: str
    """The file that general ability is judged by."""
    chooses: str
    """The file that a merge weight is chosen by, which shares no examples with the other."""
    score_range: tuple[float, float]


BENCHMARK_SETS = {
    "sts-benchmark": Benchmark(
        repository="mteb/stsbenchmark-sts",
        revision="b0fddb56ed78048fa8b90373c8a3cfc37b684831",
        decides="test.jsonl.gz",
        chooses="validation.jsonl.gz",
        score_range=STS_RANGE,
    )
}
"""What the names of `recipe.BENCHMARKS` stand for: the STS Benchmark (Cer et al. 2017), English pairs scored 0 to 5."""

SHARED = "texts that the data or the other general examples have"
UNSPACED, SPACED = 0.3, 0.05
"""From the first share of letters without spaces between words on, and below the second, two scripts are others."""

LOOKED_AT, FIRST_OF_A_TEXT = 1000, 1000
"""Examples, and characters of a text, that tell the script."""

COSINE_LOSSES = ("cosine_mse", "cosent", "multiple_negatives_ranking")
"""The losses whose similarity is the cosine."""


@dataclass(frozen=True)
class General:
    """Examples from outside the domain, the task that measures them, and the file they come from.

    ``set_aside`` are the rows of the file that are no examples, by the reason; ``source`` says where the file was
    fetched from, and is empty for one that was given.
    """

    name: str
    task: Task
    examples: list[Example]
    set_aside: Mapping[str, list[int]]
    sha256: str = ""
    source: Mapping[str, str] = field(default_factory=dict[str, str])


def general_sets(recipe: Recipe, domain: Task, known: Sequence[Example] = ()) -> tuple[General | None, General | None]:
    """Return the general set that decides, and the one that chooses how much is kept where that was asked for.

    Where one file is to do both, it is cut into halves; a benchmark known by name has a file for either. What chooses
    shares no text with what decides, nor with the examples of the domain, ``known``: neither the test nor what was
    memorised may choose.

    Raises:
        DataError: a file cannot be read, or is too small to be cut.
        HubError: a benchmark is not in the cache, and cannot be fetched.
    """
    path, keep = recipe.evaluation.general, recipe.evaluation.keep_general
    if path is None and keep is not None and names_benchmark(keep):
        path = keep
    decides = None if path is None else _general(path, recipe, domain)
    if keep is None:
        return decides, None
    chooses = _general(keep, recipe, domain, chooses=True)
    if decides is None:
        chosen, left = _halves(chooses.examples, recipe.seed)
        decides, chooses = replace(chooses, examples=left), replace(chooses, examples=chosen, set_aside={})
    taken = {each for part in (decides.examples, known) for example in part for each in example.digests}
    own = [example for example in chooses.examples if not taken.intersection(example.digests)]
    shared = [example.row for example in chooses.examples if taken.intersection(example.digests)]
    aside = {**chooses.set_aside, **({SHARED: shared} if shared else {})}
    decides = replace(decides, task=decides.task.on(decides.examples))
    chooses = replace(chooses, task=chooses.task.on(own), examples=own, set_aside=aside)
    for part, does in ((chooses, "choose by"), (decides, "decide by")):
        _refuse_unmeasurable(part, does)
    return decides, chooses


def script_remarks(general: General, domain: Sequence[Example]) -> list[str]:
    """Return a sentence where the general set writes spaces between words and the ``domain`` does not, or vice versa.

    Of scripts that both write them, such as Latin and Greek, nothing is said.
    """
    own, others = _unspaced(domain), _unspaced(general.examples)
    if max(own, others) <= UNSPACED or min(own, others) >= SPACED:
        return []
    return [
        f"{general.name}: the general set is in another script than the data; {own:.0%} of the letters of the data and "
        f"{others:.0%} of its own are of scripts without spaces between words, so it says what was lost in another "
        "language; add examples in that of the data to see what was lost there"
    ]


def _unspaced(examples: Sequence[Example]) -> float:
    read = islice(with_texts(examples), LOOKED_AT)
    return unspaced_share(text[:FIRST_OF_A_TEXT] for _, texts in read for text in texts)


def _refuse_unmeasurable(part: General, does: str) -> None:
    if len(part.examples) < FEWEST:
        raise DataError(
            f"{part.name}: {len(part.examples)} examples are left to {does}, of those that share no text with the data "
            f"or with the other half; expected at least {FEWEST}"
        )
    scores = {example.score for example in part.examples}
    if len(scores) == 1 and None not in scores:
        raise DataError(
            f"{part.name}: all {len(part.examples)} examples to {does} have the score {scores.pop():g}, so nothing can "
            "be measured; give more examples, with different scores"
        )


def _general(name: str, recipe: Recipe, domain: Task, *, chooses: bool = False) -> General:
    benchmark = BENCHMARK_SETS[name] if names_benchmark(name) else None
    if benchmark is not None and isinstance(domain, MaskedLanguageModelling):
        raise UsageError(
            f'"{name}" holds scored pairs, and masked words are measured on plain texts; give a FILE of texts'
        )
    path, source = (name, dict[str, str]()) if benchmark is None else _fetched(name, benchmark, chooses=chooses)
    task, read = read_general(path, recipe, domain, benchmark=benchmark)
    sha256 = open_rows(path).sha256 if Path(path).is_dir() else file_hash(Path(path))
    return General(name, task, read.examples, read.set_aside, sha256, source)


def _fetched(name: str, benchmark: Benchmark, *, chooses: bool) -> tuple[str, dict[str, str]]:
    """Return the path of a benchmark's file in the cache, and where it was fetched from.

    Raises HubError, which names the way out, where it is not there and cannot be fetched.
    """
    file = benchmark.chooses if chooses else benchmark.decides
    refused: HomegroundError | None = None
    try:
        path = fetch(benchmark.repository, file, revision=benchmark.revision, dataset=True)
    except (HubError, CheckpointError) as error:
        path, refused = None, error
    if path is None:
        flag = "--keep-general" if chooses else "--general"
        raise HubError(
            f'"{name}" is not in the cache, and {file} of the data set {benchmark.repository} cannot be fetched from '
            f"the Hub; try again with a network, or give a file of scored pairs instead: {flag} FILE"
        ) from refused
    return str(path), {"name": name, "repository": benchmark.repository, "revision": benchmark.revision, "file": file}


def _halves(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Cut examples into two parts of about the same size, units whole."""
    units = link(examples).units
    order = generator(seed, "general").permutation(int(units.max()) + 1)
    sizes = np.bincount(units)[order]
    first = set(order[np.cumsum(sizes) <= len(examples) / 2].tolist())
    halves: tuple[list[Example], list[Example]] = ([], [])
    for example, unit in zip(examples, units.tolist(), strict=True):
        halves[unit not in first].append(example)
    return halves


def read_general(
    path: str, recipe: Recipe, domain: Task, *, benchmark: Benchmark | None = None
) -> tuple[Task, Examples]:
    """Return the task that measures a general set as the ``domain`` is measured, and what it holds.

    The STS Benchmark's own files (tabs, no header, no quoting, scores from 0 to 5) are known by their first line; any
    other file has a header with the usual column names, or those of the domain's text and label. That of a
    ``benchmark`` holds scored pairs, whatever else its columns are called. Pairs are measured by Pearson, which no
    change of scale moves, labelled texts by what decides on the domain, plain texts by the loss of masked words.

    Raises:
        DataError: the file cannot be read, its scores lie outside [0, 1] and no range was given, or its labels are not
            those of the domain.
    """
    if isinstance(domain, MaskedLanguageModelling):
        table = open_rows(path)
        # The margin is told in nats, whatever decides on the domain.
        task = replace(domain, columns=find_text(table, Recipe(data=path)), primary_metric="masked_loss")
        read = task.read(table)
        _refuse_few(path, table, read)
        return task, read
    score_range = recipe.evaluation.general_score_range
    if benchmark is not None:
        table, score_range = read_table(path), score_range or benchmark.score_range
    elif is_sts_benchmark(path):
        table = read_table(path, format="csv", delimiter="tab", quoting="none", header=False, columns=STS_COLUMNS)
        score_range = score_range or STS_RANGE
    else:
        table = read_table(path)
    labelled = benchmark is None and isinstance(domain, Classification) and _holds_labels(table, domain)
    task = _labelled(table, recipe, domain) if labelled else _scored(table, recipe, domain.loss, score_range)
    read = task.read(table)
    _refuse_few(path, table, read)
    if isinstance(task, Classification):
        task = task.for_labels(domain.labels, read.examples)
        if task.unseen:
            unknown = ", ".join(f'"{label}"' for label in task.unseen[:5])
            raise DataError(f"{path}: holds the labels {unknown}, which the domain has not; expected only its own")
    return task, read


def _refuse_few(path: str, table: Table, read: Examples) -> None:
    if len(read.examples) < FEWEST:
        raise DataError(f"{path}: {len(read.examples)} rows can be measured of {len(table.rows)}; expected at least 2")


def is_sts_benchmark(path: str) -> bool:
    """Tell whether a file is written as the STS Benchmark publishes its own."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        first = file.readline(4096).decode("utf-8", "replace")
    return first.startswith(STS_GENRES) and first.count("\t") >= len(STS_COLUMNS) - 1


def _holds_labels(table: Table, domain: Classification) -> bool:
    named = {column.strip().lower() for column in table.columns}
    return domain.columns["label"] in table.columns or bool(named & set(LABEL_NAMES))


def _labelled(table: Table, recipe: Recipe, domain: Task) -> Task:
    """Return the task for labelled texts, in columns called as the domain's where the table has these."""
    own = {part: name for part, name in domain.columns.items() if name in table.columns and part != "group"}
    columns = Columns.model_validate({**own, "label_delimiter": recipe.columns.label_delimiter})
    plain = recipe.model_copy(update={"columns": columns, "training": Training.model_validate({"loss": domain.loss})})
    return Classification.for_table(table, plain)


def _scored(table: Table, recipe: Recipe, loss: str, score_range: tuple[float, float] | None) -> Similarity:
    # Measured with the similarity the domain is measured with; other tasks have none, and are measured by the angle.
    measured_with = "cosine_mse" if loss in COSINE_LOSSES else "angular_mse"
    plain = recipe.model_copy(
        update={
            "columns": Columns(score_range=score_range),
            "training": Training.model_validate({"loss": measured_with}),
            "evaluation": Evaluation(),
        }
    )
    if "similarity" not in find_columns(table, plain):
        raise DataError(f"{table.path}: holds pairs without scores; a general set needs a score for every pair")
    return replace(Similarity.for_table(table, plain), range_option="--general-score-range")
