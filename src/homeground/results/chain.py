"""chain.json as frozen models: what each step of a chain contributed."""

from __future__ import annotations

from homeground.results.data import CheckpointRecord
from homeground.results.parts import MetricValues, Record, TestSetRecord, field
from homeground.results.scores import Judgement

CHAIN_VERSION = 1


class ChainScores(Record):
    """The scores of every stage."""

    before: MetricValues = field("the checkpoint without training, with a new head fitted, on the test", {})
    domain: MetricValues = field("after the domain step, with a new head fitted", {})
    plain: MetricValues = field("after the task without the domain step", {})
    adapted: MetricValues = field("after both steps", {})


class ChainComparisons(Record):
    """The three comparisons of a chain, corrected by Holm's procedure."""

    task: Judgement = field("the task without the domain step, against the checkpoint", Judgement())
    chain: Judgement = field("both steps, against the checkpoint", Judgement())
    domain: Judgement = field("both steps, against the task without the domain step", Judgement())


class SeenBySteps(Record):
    """Test examples that the runs of the task learned from."""

    plain: int = field("by the run that starts from the checkpoint", 0)
    adapted: int = field("by the run that starts from the domain step", 0)


class ChainTestTexts(Record):
    """What became of the test texts in the domain's text."""

    left_out: int = field("number of domain texts that were left out because they contain a test text", 0)
    learned: int = field("number of test examples of which the domain step, or an earlier run, learned a text", 0)


class ChainRecord(Record):
    """chain.json of a chain."""

    version: int = field(f"{CHAIN_VERSION}", CHAIN_VERSION)
    state: str = field("`running` until all three runs are finished, then `finished`", "running")
    checkpoint: CheckpointRecord = field("the checkpoint that the chain starts from", CheckpointRecord())
    task: str = field("name of the task", "")
    data: str = field("the file of the task", "")
    domain_data: str = field("the file of the domain step", "")
    primary_metric: str = field("the metric that decides", "")
    verdict: str = field("the verdict on the domain step", "")
    sentence: str = field("the verdict in a sentence, with its figures", "")
    scores: ChainScores = field("metric → value at every stage", ChainScores())
    comparisons: ChainComparisons = field(
        "the three comparisons, each at the `level` that Holm's procedure gives", ChainComparisons()
    )
    test_examples: int = field("number of test examples", 0)
    test_units: int = field("number of independent units they form", 0)
    unit: str = field("what a unit is", "")
    cross_fit: int | None = field("number of folds of a cross-fitted test, else null", None)
    test_set: TestSetRecord = field(
        "the test set; the verdict is counted in the ledger beside the chain's folder", TestSetRecord()
    )
    seen_in_training: SeenBySteps = field(
        "number of test examples that the two runs of the task learned from, those that are left out included",
        SeenBySteps(),
    )
    test_texts: ChainTestTexts = field("test texts in the plain text of the domain", ChainTestTexts())
    folder: str = field("the folder that holds the three runs", "")
