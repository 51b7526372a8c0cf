"""What a table of plain texts is, and how its documents are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from homeground.checkpoint import Checkpoint, fills_masks, mask_id
from homeground.data.columns import (
    find_columns,
    notes_on_columns,
    quoted_columns,
    recurring_columns,
    unread_columns,
)
from homeground.data.documents import Document, Source, sources_of
from homeground.data.examples import Example, Examples, text_digests
from homeground.data.formats import delimiter_hint
from homeground.data.segmentation import unsegmented
from homeground.data.tables import DELIMITERS, Table, column_error, group
from homeground.errors import ColumnsMissing, UsageError
from homeground.statistics import masked as formulas
from homeground.tasks.mlm.masking import Masking
from homeground.tasks.mlm.mlm import MaskedLanguageModelling
from homeground.tasks.primary_metric import primary_metric
from homeground.tasks.task import Task, TaskInfo, TaskSpec, Use
from homeground.wording import count

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

LOSS = "masked_cross_entropy"

WORDS_METRIC = "word_loss"
"""The metric of whole words, filled in piece by piece: see pseudo_likelihood."""

WORDS_ASKED = 5000
"""Words of the test texts that are asked for where words decide and nothing else is said."""

BLOCK_TOKENS = 128
"""Tokens of a block where nothing else is asked for; what attention takes grows with the square of it."""

MOST_MEASURED = 2000
"""Plain texts that validate, and as many that test, where nothing else is asked for."""


USE = Use(
    "Use the adapted model to fill in words of this domain, or as the checkpoint of another task there; only the "
    "verdict of that task shows whether it helps.",
    metric="masked_accuracy",
    otherwise="Do not use the adapted model to fill in words: it fills in hardly more of them rightly than token "
    "frequencies do. It may serve as the checkpoint of another task; only the verdict of that task shows whether it "
    "helps.",
)
"""What a masked language model that helped can be used for."""


@dataclass(frozen=True)
class MaskedLMSpec:
    """Plain texts as a table holds them, and how they are masked.

    ``masking`` is that of training; ``rows`` counts the rows of the table; ``draws`` is how often every test text is
    masked anew.
    """

    columns: Mapping[str, str]
    primary_metric: str
    seed: int
    masking: Masking
    line_by_line: bool
    draws: int
    rows: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> MaskedLMSpec:
        """Return the spec for a table with a column of texts.

        Raises:
            DataError: which column that is cannot be determined.
            UsageError: the loss or the metric does not go with plain texts.
        """
        columns = text_columns(table, recipe.columns.text, recipe.columns.group)
        if recipe.training.loss not in ("auto", LOSS):
            raise UsageError(f"--loss {recipe.training.loss} is not for plain texts; leave it out")
        extends = recipe.masking.extend_vocabulary > 0
        measured = [*formulas.METRICS, WORDS_METRIC]
        default = WORDS_METRIC if extends else "masked_loss"
        metric = primary_metric(recipe.evaluation.primary_metric, default, measured, on="plain texts")
        if extends and metric != WORDS_METRIC:
            raise UsageError(
                f"--primary-metric {metric} is of tokens, and --extend-vocabulary changes them: both models would be "
                f"asked for other tokens; leave it out, so that whole words decide ({WORDS_METRIC})"
            )
        return cls(
            columns,
            metric,
            seed=recipe.seed,
            masking=Masking(recipe.masking.mlm_probability, recipe.masking.whole_word),
            line_by_line=recipe.masking.line_by_line,
            draws=recipe.evaluation.mask_draws,
            rows=len(table.rows),
            notes=_notes(table, columns, recipe),
        )

    @property
    def words_decide(self) -> bool:
        """Whether the verdict is on whole words, which any two tokenizers may be compared by."""
        return self.primary_metric == WORDS_METRIC

    @property
    def info(self) -> TaskInfo:
        """What is particular to masked language modelling.

        The loss metric is measured with the mask token alone, whatever stands there in training.
        """
        kept = f', kept together by "{self.columns["group"]}"' if "group" in self.columns else ""
        fraction = min(0.1, MOST_MEASURED / max(self.rows, 1))
        return TaskInfo(
            name="mlm",
            head="masked_lm",
            head_purpose="masked words",
            loss=LOSS,
            example="test document",
            # Both models of a validation split have one tokenizer, so that tokens choose there.
            primary_metric="masked_loss" if self.words_decide else self.primary_metric,
            metric_names=tuple(formulas.METRICS),
            columns=self.columns,
            description=f'plain texts, "{self.columns["text"]}", whose words are masked and learned{kept}',
            margin=0.05,
            loss_metric="masked_loss",
            notes=self.notes,
            defaults={
                "training": {"epochs": 3, "learning_rate": 5e-5, "batch_size": 16},
                "split": {"validation": fraction, "test": fraction},
                "evaluation": {"primary_metric": WORDS_METRIC, "pll": WORDS_ASKED} if self.words_decide else {},
            },
            saved_settings={"task": "mlm"},
            model_files=("checkpoint_modules",),
            cuts_blocks=True,
            usual_length=BLOCK_TOKENS,
            cleaning="training",
            verdict_scope="at predicting masked words",
            use=USE,
        )

    def read(self, table: Table) -> Examples:
        """Return the documents of a table; rows without text are skipped and named."""
        source = Source(table, self.columns["text"])
        examples: list[Example] = []
        filled: set[int] = set()
        grouped = self.columns.get("group")
        groups = {row.number: group(table, row, grouped) for row in table.rows} if grouped else {}
        for number, content in source.texts():
            source.register(number, content)
            filled.add(number)
            key, ordered_key = text_digests(content)
            group_name = groups.get(number)
            examples.append(Document(number, (), group=group_name, key=key, source=source, ordered_key=ordered_key))
        empty = [row.number for row in table.rows if row.number not in filled] if len(filled) < len(table.rows) else []
        return Examples(examples, {"empty text": empty} if empty else {})

    def with_splits(
        self, splits: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None
    ) -> MaskedLanguageModelling:
        """Return the task with the mask token of the checkpoint, and notes about the texts.

        Raises:
            CheckpointError: the tokenizer has no mask token.
            UsageError: many of the texts write no spaces between words, and their segmenter is not installed.
        """
        assert checkpoint is not None, "plain texts are not compared before training"
        sources = {id(source): source for part in splits.values() for source in sources_of(part)}
        control = sum(source.control for source in sources.values())
        notes = [f"{count(control, 'text holds', 'texts hold')} control characters"] if control else []
        if note := unsegmented(source.scripts for source in sources.values()):
            notes.append(note)
        return self._task(checkpoint, tuple(notes))

    def with_saved_settings(self, settings: Mapping[str, Any]) -> MaskedLMSpec:
        """Return the spec as it is: a saved model says nothing of its masks."""
        return self

    def for_model(self, checkpoint: Checkpoint, examples: Sequence[Example]) -> MaskedLanguageModelling:
        """Return the task with the mask token of a model.

        Raises:
            CheckpointError: the tokenizer has no mask token.
            UsageError: many of the texts write no spaces between words, and their segmenter is not installed.
        """
        note = unsegmented(source.scripts for source in sources_of(examples))
        return self._task(checkpoint, (note,) if note else ())

    def finds_head(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the checkpoint is a masked language model by its settings."""
        return fills_masks(checkpoint)

    @property
    def reads_scored_pairs(self) -> bool:
        """Masked words are measured on plain texts only."""
        return False

    def general_spec(self, table: Table, recipe: Recipe) -> MaskedLMSpec:
        """Return the spec of a general set of plain texts for this domain.

        It is judged by the loss, whose margin is in nats, whatever decides on the domain.
        """
        return replace(self, columns=text_columns(table, None, None), primary_metric="masked_loss")

    def general_task(
        self, general: TaskSpec, task: Task, checkpoint: Checkpoint, examples: Sequence[Example], path: str
    ) -> Task:
        """Return the task that measures a general set of plain texts."""
        return general.for_model(checkpoint, examples)

    def _task(self, checkpoint: Checkpoint, notes: tuple[str, ...] = ()) -> MaskedLanguageModelling:
        info = replace(self.info, notes=(*self.notes, *notes))
        return MaskedLanguageModelling(
            info, mask_id(checkpoint), self.seed, self.masking, self.line_by_line, self.draws
        )


def text_columns(table: Table, text: str | None, group: str | None) -> dict[str, str]:
    """Return which column holds the text: the named one, the one with a usual name, or the only one; and the group.

    Raises:
        DataError: a named column is not there, or it cannot be determined.
    """
    columns = find_columns(table, ("group", "text"), {"text": text, "group": group})
    if "text" not in columns:
        only = table.columns[0] if len(table.columns) == 1 else None
        if only and table.format in DELIMITERS and delimiter_hint(only, DELIMITERS[table.format]):
            raise column_error(table, "text")
        if not only:
            raise ColumnsMissing.at(
                table.path, f"which column holds the text? the columns are {quoted_columns(table)}; name it with --text"
            )
        columns["text"] = only
    return columns


def _notes(table: Table, columns: Mapping[str, str], recipe: Recipe) -> tuple[str, ...]:
    """Say which columns are not read; one of them may have been meant as the label where nobody named the task."""
    notes = notes_on_columns(table, columns)
    unread = unread_columns(table, columns)
    if recipe.task is not None or not unread:
        return notes
    labels = recurring_columns(table, unread)
    example = f" {labels[0]}" if labels else ""
    return (*notes, f"learned from as plain texts; if one of the other columns holds labels, use --label{example}")
