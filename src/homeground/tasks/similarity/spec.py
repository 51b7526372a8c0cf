"""What a table of pairs is: scored pairs, or pairs and triplets that belong together, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from homeground.checkpoint import Checkpoint
from homeground.data.columns import as_flag, notes_on_columns, quoted, written_list
from homeground.data.examples import Example, Examples
from homeground.data.streams import shelf_for
from homeground.data.tables import Row, Table, column_parts, group, number, shown, text
from homeground.errors import DataError, UsageError
from homeground.statistics import correlation
from homeground.tasks.primary_metric import primary_metric
from homeground.tasks.similarity.pair_columns import pair_columns
from homeground.tasks.similarity.similarity import SCORED_METRICS, Similarity
from homeground.tasks.task import Metric, TaskInfo

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

WHOLE_BATCH_LOSSES = ("cosent", "multiple_negatives_ranking")
"""Losses that learn by comparing the pairs of a batch with each other."""

COSINE_LOSSES = ("cosine_mse", "cosent", "multiple_negatives_ranking")
"""The losses whose similarity is the cosine."""


@dataclass(frozen=True)
class SimilaritySpec:
    """Pairs of texts as a table holds them: scored, or belonging together, maybe with a text that does not.

    ``range_option`` is the flag that names the range of the scores, for errors.
    """

    columns: Mapping[str, str]
    loss: str
    primary_metric: str
    score_range: tuple[float, float] | None = None
    range_option: str = "--score-range"
    notes: tuple[str, ...] = ()

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> SimilaritySpec:
        """Return the spec for the columns of a table.

        Raises:
            DataError: a named column is not there, or none has a usual name.
            UsageError: the loss or the metric does not go with the columns.
        """
        columns, score_range = pair_columns(table, recipe)
        scored = "similarity" in columns
        loss = recipe.training.loss
        if loss == "auto":
            loss = "angular_mse" if scored else "multiple_negatives_ranking"
        if (loss == "multiple_negatives_ranking") == scored:
            needs = "pairs without scores (--anchor, --positive)" if scored else "scored pairs (--similarity)"
            raise UsageError(f"--loss {loss} learns from {needs}; {table.path} holds {quoted(columns.values())}")
        metrics = SCORED_METRICS if scored else correlation.RETRIEVAL_METRICS
        metric = primary_metric(recipe.evaluation.primary_metric, "pearson" if scored else "mrr", metrics)
        if loss in WHOLE_BATCH_LOSSES and recipe.training.batch_size == 1:
            raise UsageError(f"--loss {loss} learns from the other pairs of a batch; use --batch-size 2 or more")
        notes = notes_on_columns(table, columns)
        if score_range != recipe.columns.score_range:
            notes = (f'"{columns["similarity"]}" holds 0 and 1, read as scores: 0 not similar, 1 similar', *notes)
        return cls(columns, loss, metric, score_range, notes=notes)

    @property
    def scored(self) -> bool:
        """Whether the pairs carry scores."""
        return "similarity" in self.columns

    @property
    def kind(self) -> str:
        """How two embeddings are compared: "angular" under the angular loss, else "cosine"."""
        return "angular" if self.loss == "angular_mse" else "cosine"

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        return SCORED_METRICS if self.scored else correlation.RETRIEVAL_METRICS

    @property
    def info(self) -> TaskInfo:
        """What is particular to learning similarity."""
        return TaskInfo(
            name="similarity",
            head="encoder",
            frozen_method="embeddings",
            loss=self.loss,
            example="test pair",
            primary_metric=self.primary_metric,
            metric_names=tuple(self.metrics),
            columns=self.columns,
            description=self._description(),
            loss_metric="mse" if self.loss in ("angular_mse", "cosine_mse") else None,
            scale=self.kind,
            scale_metrics=("mse", "mae", "mape"),
            in_batch_negatives=self.loss == "multiple_negatives_ranking",
            notes=self.notes,
            saved_settings={"task": "similarity", "similarity": self.kind},
            model_files=("sentence_transformers",),
            instead={"TF-IDF": "Compare the texts by TF-IDF of their characters"},
        )

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of the texts, side by side; that of the negatives may stand for several."""
        parts = ("text_1", "text_2") if self.scored else ("anchor", "positive", "negative")
        return tuple(self.columns[part] for part in parts if part in self.columns)

    def read(self, table: Table) -> Examples:
        """Return the pairs of a table; rows with an empty text are skipped and named.

        Of a list of positives each makes a pair; all negatives of a row stand against each of these.
        """
        examples: list[Example] = []
        empty: list[int] = []
        shelf = shelf_for(table)
        for row in table.rows:
            pairs = self._pairs(table, row)
            written = self._written(table, row) if self.scored else None
            score = None if written is None else self._score(written)
            own_group = group(table, row, self.columns.get("group"))
            made = (Example(row.number, texts, score, own_group, written=written) for texts in pairs)
            examples += [example.put_on(shelf) for example in made]
            if not pairs:
                empty.append(row.number)
        if self.scored and len(examples) > 1 and len({example.score for example in examples}) == 1:
            problem = (
                f"holds {examples[0].score:g} in every row; expected scores that differ, or nothing can be learned"
            )
            raise table.error(problem, column=self.columns["similarity"])
        self._refuse_written_lists(table, examples)
        return Examples(examples, {"empty text": empty} if empty else {})

    def _pairs(self, table: Table, row: Row) -> list[tuple[str, ...]]:
        """Return the texts of every pair of a row, none where a text is empty."""
        if self.scored:
            texts = tuple(text(table, row, column) for column in self.text_columns)
            return [texts] if all(side.strip() for side in texts) else []
        anchor = text(table, row, self.columns["anchor"])
        positives = _listed_texts(table, row, self.columns["positive"])
        names = column_parts(table, self.columns["negative"]) if "negative" in self.columns else ()
        negatives = [each for name in names for each in _listed_texts(table, row, name)]
        return [(anchor, positive, *negatives) for positive in positives] if anchor.strip() else []

    def _refuse_written_lists(self, table: Table, examples: Sequence[Example]) -> None:
        for place, column in enumerate(self.text_columns[1:], start=1):
            texts = [each for example in examples for each in example.texts[place:][:1]]
            if (found := written_list(texts)) is not None:
                raise table.error(
                    f"holds lists written as text, such as {shown(found)}; write them as lists in JSON Lines, or one "
                    "text a row",
                    column=column,
                )

    def with_splits(self, splits: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> Similarity:
        """Return the task; it takes nothing from the splits."""
        return Similarity(self.info, self.scored, self.kind)

    def with_saved_settings(self, settings: Mapping[str, Any]) -> SimilaritySpec:
        """Return the spec as a saved model compares embeddings: by the cosine where it learned so."""
        if self.scored and settings.get("similarity") == "cosine":
            return replace(self, loss="cosine_mse")
        return self

    def for_model(self, checkpoint: Checkpoint, examples: Sequence[Example]) -> Similarity:
        """Return the task; every encoder can be asked."""
        return Similarity(self.info, self.scored, self.kind)

    def _description(self) -> str:
        texts = " and ".join(f'"{column}"' for column in self.text_columns[:2])
        if self.scored:
            scale = "{:g} to {:g}".format(*self.score_range) if self.score_range else "0 to 1"
            what = f'scored pairs of texts, {texts}, similarity in "{self.columns["similarity"]}" from {scale}'
        else:
            what = f"pairs of texts that belong together, {texts}"
            if "negative" in self.columns:
                what += f", with {self._negatives}"
        return what + (f', kept together by "{self.columns["group"]}"' if "group" in self.columns else "")

    @property
    def _negatives(self) -> str:
        name = self.columns["negative"]
        return f'texts that do not in "{name}"' if "," in name else f'a text that does not in "{name}"'

    def _written(self, table: Table, row: Row) -> float:
        """Return a row's score as the file has it."""
        column = self.columns["similarity"]
        flag = as_flag(row.values.get(column))
        value = number(table, row, column) if flag is None else float(flag)
        low, high = self.score_range or (0.0, 1.0)
        if not low <= value <= high:
            rescale = (
                ""
                if self.score_range
                else f"; for another scale add {self.range_option} LOW,HIGH, LOW meaning unrelated"
            )
            problem = f"holds {value:g}; expected a number from {low:g} to {high:g}{rescale}"
            raise table.error(problem, row=row.number, column=column)
        return value

    def _score(self, written: float) -> float:
        """Return a score on the scale of the similarity: an unrelated pair at 0.5 under the angular loss."""
        if self.score_range is None:
            return written
        low, high = self.score_range
        share = (written - low) / (high - low)
        return 0.5 + share / 2 if self.kind == "angular" else share


def scored_pairs_spec(
    table: Table, recipe: Recipe, loss: str, score_range: tuple[float, float] | None
) -> SimilaritySpec:
    """Return the spec of a general set of scored pairs, compared as the domain, which learns by ``loss``, is compared.

    Other tasks have no similarity of their own; their pairs are measured by the angle.

    Raises:
        DataError: the table holds no scored pairs.
    """
    domain_loss = "cosine_mse" if loss in COSINE_LOSSES else "angular_mse"
    plain = recipe.with_sections(columns={"score_range": score_range}, training={"loss": domain_loss}, evaluation={})
    if "similarity" not in pair_columns(table, plain)[0]:
        raise DataError(f"{table.path}: holds pairs without scores; a general set needs a score for every pair")
    return replace(SimilaritySpec.for_table(table, plain), range_option="--general-score-range")


def _listed_texts(table: Table, row: Row, column: str) -> list[str]:
    """Return the texts in one place that are not empty: one, or those of a list; none for null."""
    value = row.values.get(column, "")
    if value is None:
        return []
    if not isinstance(value, list):
        texts = [text(table, row, column)]
    else:
        values = cast(list[object], value)
        texts = [each for each in values if isinstance(each, str)]
        if len(texts) < len(values):
            other = next(each for each in values if not isinstance(each, str))
            raise table.error(f"holds a list with {shown(other)}; expected texts", row=row.number, column=column)
    return [each for each in texts if each.strip()]
