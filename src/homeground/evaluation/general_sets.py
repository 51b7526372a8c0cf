"""The general set: examples from outside the domain, to see what an adaptation costs.

Scored pairs are measured on the body; for some tasks the set may also hold examples of the domain's own kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from homeground.checkpoint import Checkpoint
from homeground.checkpoint.download import fetch
from homeground.data.columns import quoted_columns
from homeground.data.corpus import link
from homeground.data.documents import with_texts
from homeground.data.examples import Example, Examples
from homeground.data.segmentation import unspaced_share
from homeground.data.streams import open_rows, source_hash
from homeground.data.tables import Table, read_table
from homeground.errors import CheckpointError, DataError, HomegroundError, HubError, UsageError
from homeground.randomness import generator
from homeground.recipe.recipe import Recipe, names_benchmark
from homeground.tasks import scored_pairs_spec
from homeground.tasks.task import HasGeneralSets, Task, TaskSpec

STS_COLUMNS = ("genre", "file", "year", "id", "score", "sent1", "sent2")
STS_GENRES = ("main-captions\t", "main-news\t", "main-forums\t", "main-forum\t")
FEWEST_EXAMPLES = 2
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

SHARED_TEXTS = "texts that the data or the other general examples have"
UNSPACED_LEAST, SPACED_MOST = 0.3, 0.05
"""Two sets are in different scripts where at least so large a share of the letters of one is written without spaces
between words, and at most so small a share of the other."""

EXAMPLES_READ, CHARACTERS_READ = 1000, 1000
"""Examples, and characters of each text, from which the script is determined."""


@dataclass(frozen=True)
class Domain:
    """What the general sets are compared with: the task of the domain, its examples, and the checkpoint."""

    recipe: Recipe
    spec: TaskSpec
    task: Task
    checkpoint: Checkpoint
    examples: Sequence[Example] = ()


@dataclass(frozen=True)
class GeneralExamples:
    """Examples from outside the domain, the task that measures them, and the file they come from.

    ``skipped`` are the rows of the file that are no examples, by the reason; ``source`` says where the file was
    fetched from, and is empty for one that was given. ``notes`` are sentences on what is odd in it.
    """

    name: str
    task: Task
    examples: list[Example]
    skipped: Mapping[str, list[int]]
    sha256: str = ""
    source: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()


def read_general_sets(domain: Domain) -> tuple[GeneralExamples | None, GeneralExamples | None]:
    """Return the general set that decides, and the one that chooses how much is kept where that is wanted.

    Where one file is to do both, it is cut into halves; a benchmark known by name has a file for either. What chooses
    shares no text with what decides, nor with the examples of the domain: neither the test nor what was memorised may
    choose.

    Raises:
        DataError: a file cannot be read, or is too small to be cut.
        HubError: a benchmark is not in the cache, and cannot be fetched.
    """
    evaluation = domain.recipe.evaluation
    path, keep = evaluation.general, evaluation.keep_general
    if path is None and keep is not None and names_benchmark(keep):
        path = keep
    decides = None if path is None else _read(path, domain)
    if keep is None:
        return decides, None
    chooses = _read(keep, domain, chooses=True)
    if decides is None:
        first, second = _halves(chooses.examples, domain.recipe.seed)
        decides, chooses = replace(chooses, examples=second), replace(chooses, examples=first, skipped={})
    taken = {each for part in (decides.examples, domain.examples) for example in part for each in example.digests}
    kept = [example for example in chooses.examples if not taken.intersection(example.digests)]
    shared = [example.row for example in chooses.examples if taken.intersection(example.digests)]
    skipped = {**chooses.skipped, **({SHARED_TEXTS: shared} if shared else {})}
    decides = replace(decides, task=decides.task.for_examples(decides.examples))
    chooses = replace(chooses, task=chooses.task.for_examples(kept), examples=kept, skipped=skipped)
    for part, purpose in ((chooses, "choose by"), (decides, "decide by")):
        _refuse_unmeasurable(part, purpose)
    return decides, chooses


def script_notes(general: GeneralExamples, domain: Sequence[Example]) -> list[str]:
    """Return a sentence where the general set writes spaces between words and the ``domain`` does not, or vice versa.

    Of scripts that both write them, such as Latin and Greek, nothing is said.
    """
    domain_share, general_share = _unspaced(domain), _unspaced(general.examples)
    if max(domain_share, general_share) <= UNSPACED_LEAST or min(domain_share, general_share) >= SPACED_MOST:
        return []
    return [
        f"{general.name}: the general set is in another script than the data; {domain_share:.0%} of the letters of the "
        f"data and {general_share:.0%} of its own are of scripts without spaces between words, so it says what was "
        "lost in another language; add examples in that of the data to see what was lost there"
    ]


def _unspaced(examples: Sequence[Example]) -> float:
    read = islice(with_texts(examples), EXAMPLES_READ)
    return unspaced_share(text[:CHARACTERS_READ] for _, texts in read for text in texts)


def is_measurable(examples: Sequence[Example]) -> bool:
    """Tell whether a general set of these examples can be measured: there are a few, with more than one score."""
    scores = {example.score for example in examples}
    return len(examples) >= FEWEST_EXAMPLES and (None in scores or len(scores) > 1)


def _refuse_unmeasurable(part: GeneralExamples, purpose: str) -> None:
    if len(part.examples) < FEWEST_EXAMPLES:
        raise DataError(
            f"{part.name}: {len(part.examples)} examples are left to {purpose}, of those that share no text with the "
            f"data or with the other half; expected at least {FEWEST_EXAMPLES}"
        )
    scores = {example.score for example in part.examples}
    if len(scores) == 1 and None not in scores:
        raise DataError(
            f"{part.name}: all {len(part.examples)} examples to {purpose} have the score {scores.pop():g}, so nothing "
            "can be measured; give more examples, with different scores"
        )


def _read(name: str, domain: Domain, *, chooses: bool = False) -> GeneralExamples:
    benchmark = BENCHMARK_SETS[name] if names_benchmark(name) else None
    if benchmark is not None and isinstance(domain.spec, HasGeneralSets) and not domain.spec.reads_scored_pairs:
        raise UsageError(
            f'"{name}" holds scored pairs, and masked words are measured on plain texts; give a FILE of texts'
        )
    path, source = (name, dict[str, str]()) if benchmark is None else _fetch(name, benchmark, chooses=chooses)
    task, read = read_general(path, domain, benchmark=benchmark)
    return GeneralExamples(name, task, read.examples, read.set_aside, source_hash(path), source, read.notes)


def _fetch(name: str, benchmark: Benchmark, *, chooses: bool) -> tuple[str, dict[str, str]]:
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


def read_general(path: str, domain: Domain, *, benchmark: Benchmark | None = None) -> tuple[Task, Examples]:
    """Return the task that measures a general set as the domain is measured, and what the file holds.

    The STS Benchmark's own files (tabs, no header, no quoting, scores from 0 to 5) are known by their first line; any
    other file has a header with the usual column names, or those of the domain. That of a ``benchmark`` holds scored
    pairs, whatever else its columns are called. Pairs are measured by Pearson, which no change of scale moves; examples
    of the domain's kind by what decides on the domain, plain texts by the loss of masked words.

    Raises:
        DataError: the file cannot be read, its scores are outside [0, 1] and no range was given, or its labels are not
            those of the domain.
    """
    recipe, spec = domain.recipe, domain.spec
    own_kind = spec if isinstance(spec, HasGeneralSets) and benchmark is None else None
    if own_kind is not None and not own_kind.reads_scored_pairs:
        table, score_range = open_rows(path), None
    else:
        table, score_range = _read_pairs(path, recipe.evaluation.general_score_range, benchmark)
    try:
        general = own_kind.general_spec(table, recipe) if own_kind is not None else None
        pairs = scored_pairs_spec(table, recipe, domain.task.info.loss, score_range) if general is None else None
    except DataError:
        if own_kind is None or not own_kind.reads_scored_pairs:
            raise
        wanted = ", ".join(f'"{column}"' for column in domain.spec.info.columns.values())
        problem = f"a general set has the columns of the data, {wanted}, or scored pairs (text_1, text_2, similarity)"
        raise DataError.at(path, f"{problem}; this file has {quoted_columns(table)}") from None
    if own_kind is None or general is None:
        assert pairs is not None
        read = _enough(pairs.read(table), path, table)
        return pairs.with_splits({}, None), read
    read = _enough(general.read(table), path, table)
    return own_kind.general_task(general, domain.task, domain.checkpoint, read.examples, path), read


def _read_pairs(
    path: str, score_range: tuple[float, float] | None, benchmark: Benchmark | None
) -> tuple[Table, tuple[float, float] | None]:
    """Return a table that may hold scored pairs, and the range of its scores."""
    if benchmark is not None:
        return open_rows(path), score_range or benchmark.score_range
    if is_sts_benchmark(path):
        table = read_table(path, format="csv", delimiter="tab", quoting="none", header=False, columns=STS_COLUMNS)
        return table, score_range or STS_RANGE
    return open_rows(path), score_range


def _enough(read: Examples, path: str, table: Table) -> Examples:
    if len(read.examples) < FEWEST_EXAMPLES:
        raise DataError(f"{path}: {len(read.examples)} rows can be measured of {len(table.rows)}; expected at least 2")
    return read


def is_sts_benchmark(path: str) -> bool:
    """Tell whether a file is written as the STS Benchmark publishes its own."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        first = file.readline(4096).decode("utf-8", "replace")
    return first.startswith(STS_GENRES) and first.count("\t") >= len(STS_COLUMNS) - 1
