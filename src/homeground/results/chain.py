"""chain.json as frozen models: what the steps of a chain were worth."""

from __future__ import annotations

from homeground.results.data import CheckpointRecord
from homeground.results.parts import MetricValues, Record, TestSetRecord, field
from homeground.results.scores import Judgement

CHAIN_VERSION = 1


class ChainScores(Record):
    """The scores of every stage."""

    before: MetricValues = field("metric → value on the test of the checkpoint as it is", {})
    domain: MetricValues = field("after the domain step, a new head fitted", {})
    plain: MetricValues = field("after the task alone", {})
    adapted: MetricValues = field("after both steps", {})


class ChainComparisons(Record):
    """The three comparisons of a chain, corrected by Holm's procedure."""

    task: Judgement = field("the task alone against the checkpoint", Judgement())
    chain: Judgement = field("both steps against the checkpoint", Judgement())
    domain: Judgement = field("both steps against the task alone", Judgement())


class SeenBySteps(Record):
    """Test examples that were learned from."""

    plain: int = field("by the run from the checkpoint", 0)
    adapted: int = field("by the run from the domain step", 0)


class ChainTestTexts(Record):
    """What became of the test texts in the domain's text."""

    left_out: int = field("texts of the domain that hold a text of the test and were left out", 0)
    learned: int = field("test examples of which the domain step, or an earlier run, learned a text", 0)


class ChainRecord(Record):
    """chain.json of a chain."""

    version: int = field(f"{CHAIN_VERSION}", CHAIN_VERSION)
    state: str = field("`running` until all three runs are finished, then `finished`", "running")
    checkpoint: CheckpointRecord = field("what the chain began with", CheckpointRecord())
    task: str = field("what was learned", "")
    data: str = field("from which file", "")
    domain_data: str = field("the file of the domain step", "")
    primary_metric: str = field("the metric that decides", "")
    verdict: str = field("the verdict on the domain step", "")
    sentence: str = field("the same with the figures it rests on", "")
    scores: ChainScores = field("the scores of every stage", ChainScores())
    comparisons: ChainComparisons = field(
        "the three comparisons, each with the `level` of Holm's procedure", ChainComparisons()
    )
    test_examples: int = field("examples that were tested", 0)
    test_units: int = field("independent units they make", 0)
    unit: str = field("what a unit is", "")
    cross_fit: int | None = field("folds of a cross-fitted test", None)
    test_set: TestSetRecord = field(
        "the test set; the verdict is counted in the ledger beside the chain's folder", TestSetRecord()
    )
    seen_in_training: SeenBySteps = field(
        "test examples that the two runs of the task learned from with their labels or scores", SeenBySteps()
    )
    test_texts: ChainTestTexts = field("test texts in the domain", ChainTestTexts())
    folder: str = field("the folder that holds the three runs", "")
