"""chain.json as frozen models: what the steps of a chain were worth."""

from __future__ import annotations

from pydantic import Field

from homeground.results.data import CheckpointRecord
from homeground.results.parts import MetricValues, Record, TestSetRecord
from homeground.results.scores import Judgement

CHAIN_VERSION = 1


class ChainScores(Record):
    """The scores of every stage."""

    before: MetricValues = Field(default_factory=dict[str, float | None], description="the checkpoint as it is")
    domain: MetricValues = Field(default_factory=dict[str, float | None], description="after the domain step alone")
    plain: MetricValues = Field(default_factory=dict[str, float | None], description="after the task alone")
    adapted: MetricValues = Field(default_factory=dict[str, float | None], description="after both steps")


class ChainComparisons(Record):
    """The three comparisons of a chain, corrected by Holm's procedure."""

    task: Judgement = Field(default_factory=lambda: Judgement(), description="the task alone against the checkpoint")
    chain: Judgement = Field(default_factory=lambda: Judgement(), description="both steps against the checkpoint")
    domain: Judgement = Field(default_factory=lambda: Judgement(), description="both steps against the task alone")


class SeenBySteps(Record):
    """Test examples that were learned from."""

    plain: int = Field(default=0, description="by the run from the checkpoint")
    adapted: int = Field(default=0, description="by the run from the domain step")


class ChainTestTexts(Record):
    """What became of the test texts in the domain's text."""

    left_out: int = Field(default=0, description="texts of the domain that hold a text of the test")
    learned: int = Field(default=0, description="test examples of which the domain step learned a text")


class ChainRecord(Record):
    """chain.json of a chain."""

    version: int = Field(default=CHAIN_VERSION, description=f"{CHAIN_VERSION}")
    state: str = Field(default="running", description="`running` or `finished`")
    checkpoint: CheckpointRecord = Field(default_factory=lambda: CheckpointRecord(), description="where it began")
    task: str = Field(default="", description="the task of the second step")
    data: str = Field(default="", description="its data")
    domain_data: str = Field(default="", description="the data of the domain step")
    primary_metric: str = Field(default="", description="the metric that decides")
    verdict: str = Field(default="", description="what the domain step contributed, in a word")
    sentence: str = Field(default="", description="the same with its figures")
    scores: ChainScores = Field(default_factory=lambda: ChainScores(), description="the scores of every stage")
    comparisons: ChainComparisons = Field(
        default_factory=lambda: ChainComparisons(),
        description="the three comparisons",
    )
    test_examples: int = Field(default=0, description="examples that were tested")
    test_units: int = Field(default=0, description="independent units they make")
    unit: str = Field(default="", description="what a unit is")
    cross_fit: int | None = Field(default=None, description="folds of a cross-fitted test")
    test_set: TestSetRecord = Field(default_factory=lambda: TestSetRecord(), description="the test set in the ledger")
    seen_in_training: SeenBySteps = Field(default_factory=lambda: SeenBySteps(), description="by each run of the task")
    test_texts: ChainTestTexts = Field(default_factory=lambda: ChainTestTexts(), description="test texts in the domain")
    folder: str = Field(default="", description="the folder of the chain")
