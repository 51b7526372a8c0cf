"""What each training learns from and is chosen by: splits of the examples, tokenized once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from homeground.data.cleaning import CleanedDocuments
from homeground.data.corpus import Corpus, Part, link
from homeground.data.examples import Example
from homeground.data.shares import Share, nested_shares
from homeground.data.tokens.tokenized import TextTokens
from homeground.data.units import PairUnits
from homeground.errors import DataError
from homeground.evaluation.evaluation_set import EvaluationSet, Resampling
from homeground.evaluation.merging import MERGE_DRAWS
from homeground.randomness import generator
from homeground.recipe.recipe import Recipe
from homeground.tasks.task import Measurable, MeasuresWords, Task, TokenizedExamples

Tokenize = Callable[[Task, Sequence[Example]], Any]


def words_decide(recipe: Recipe) -> bool:
    """Tell whether the verdict is on whole words, which models of different tokenizers may be compared by."""
    return recipe.evaluation.primary_metric == "word_loss"


@dataclass(frozen=True)
class EvaluationSets:
    """Makes the sets that models are measured on.

    ``tokens`` are those of the adapted model, ``original`` those of the checkpoint where its vocabulary was extended.
    """

    recipe: Recipe
    tokens: TextTokens
    max_length: int
    original: TextTokens | None = None

    def tokenize(self, task: Task, examples: Sequence[Example]) -> Any:
        """Return the rows of examples."""
        return task.tokenize(examples, self.tokens)

    def tested(
        self, name: str, task: Task, examples: Sequence[Example], units: PairUnits, draws: int | None = None
    ) -> EvaluationSet:
        """Return a set that both models are measured on: the examples, or words of them where words decide.

        Raises:
            DataError: the tokenizers know none of the words that were drawn.
        """
        if not (words_decide(self.recipe) and isinstance(task, MeasuresWords)):
            return self._set(name, task, self.tokenize(task, examples), units, draws)
        words, rows = self._words(task, examples, self.tokens)
        if self.original is None:
            return self._set(name, words, rows, units, draws)
        _, others = self._words(task, examples, self.original)
        # A word that one of them does not know is asked of neither.
        known = rows.known & others.known
        if not known.any():
            raise DataError(f"{name}: the tokenizers know none of the words that were drawn, so none can be asked")
        before = self._set(name, words, others.only(known), units, draws)
        return replace(self._set(name, words, rows.only(known), units, draws), other_tokens=before)

    def _words(self, task: MeasuresWords, examples: Sequence[Example], tokens: TextTokens) -> tuple[Measurable, Any]:
        return task.word_rows(examples, self.recipe.evaluation.pll, tokens, max_length=self.max_length)

    def _set(self, name: str, task: Measurable, rows: Any, units: PairUnits, draws: int | None) -> EvaluationSet:
        evaluation = self.recipe.evaluation
        resampling = Resampling(self.recipe.seed, draws or evaluation.bootstrap_draws)
        return EvaluationSet(name, task, rows, units, evaluation.evaluation_batch_size, resampling)


@dataclass(frozen=True)
class TrainingSplit:
    """What one model learns from and is chosen by.

    ``validation`` chooses; ``sample`` are as many of the training examples as there are validation examples, to see
    what was memorised. Both are None where there is no validation split, and both are measured alike.
    """

    train: TokenizedExamples
    validation: EvaluationSet | None
    sample: EvaluationSet | None


class TrainingSplits:
    """The splits of a recipe's trainings, each made when it is first needed and then kept."""

    def __init__(
        self, recipe: Recipe, corpus: Corpus, task: Task, tokenize: Tokenize, cleaned: CleanedDocuments | None = None
    ) -> None:
        self._recipe, self._corpus, self._task, self._tokenize = recipe, corpus, task, tokenize
        self._cleaned = cleaned
        self._folds: dict[int, TrainingSplit] = {}
        self._shares: dict[int, TrainingSplit] = {}

    @cached_property
    def kept(self) -> TrainingSplit:
        """What the model that is kept learns from."""
        return self._split(self._corpus.train, self._corpus.validation)

    @cached_property
    def shares(self) -> list[Share]:
        """The shares of the training examples for a learning curve; none where there is no curve."""
        curve = self._recipe.annotation.learning_curve
        return nested_shares(self._corpus.train.examples, seed=self._recipe.seed) if curve else []

    def fold(self, number: int) -> TrainingSplit:
        """Return what the model of one fold of a cross-fitting learns from."""
        if number not in self._folds:
            train, validation, _ = self._corpus.fold(number, self._recipe)
            self._folds[number] = self._split(train, validation)
        return self._folds[number]

    def share(self, share: Share) -> TrainingSplit:
        """Return what the model of one share of the training examples learns from; validation is the run's own."""
        if share.per_cent not in self._shares:
            self._shares[share.per_cent] = self._split(share.part, self._corpus.validation)
        return self._shares[share.per_cent]

    def _split(self, train: Part, validation: Part) -> TrainingSplit:
        learned = train.examples if self._cleaned is None else self._cleaned(train.examples)
        rows = TokenizedExamples(learned, self._tokenize(self._task, learned))
        count = min(len(train), len(validation))
        if not count:
            return TrainingSplit(rows, None, None)
        drawn = generator(self._recipe.seed, "sample").permutation(len(train))[:count]
        sample = [train.examples[index] for index in sorted(drawn.tolist())]
        # Nothing of the test takes part in a choice: macro F1, e.g., is over the classes that validation has.
        task = self._task.for_examples(validation.examples, to_choose=True)
        return TrainingSplit(
            rows, self._set("validation", task, validation), self._set("sample", task, Part(sample, link(sample)))
        )

    def _set(self, name: str, task: Task, part: Part) -> EvaluationSet:
        recipe = self._recipe
        size = recipe.evaluation.evaluation_batch_size
        # Differences on validation describe a merge curve and decide nothing.
        resampling = Resampling(recipe.seed, MERGE_DRAWS)
        return EvaluationSet(name, task, self._tokenize(task, part.examples), part.units, size, resampling)
