"""What a table of texts with marked spans is, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from homeground.checkpoint import Checkpoint, tags_of
from homeground.data.annotations.columns import find_annotation_columns, read_annotations
from homeground.data.annotations.conll import DOCUMENT, LINES
from homeground.data.columns import notes_on_columns
from homeground.data.examples import Example, Examples
from homeground.data.tables import Table, group
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.statistics import entities as formulas
from homeground.statistics.entities import OUTSIDE
from homeground.tasks.primary_metric import primary_metric
from homeground.tasks.task import Task, TaskInfo, TaskSpec
from homeground.tasks.token_classification.tagged import as_tagged, tagged, types_in
from homeground.tasks.token_classification.tagging import TokenClassification
from homeground.wording import count

if TYPE_CHECKING:
    from homeground.recipe.recipe import Recipe

LOSS = "token_cross_entropy"

DEFAULTS: dict[str, dict[str, Any]] = {"training": {"epochs": 5, "learning_rate": 1e-4}}

INSTEAD = {
    "linear tagger": "Use a linear tagger on the shapes of words",
    "most frequent tag": "Use a list of words with their usual tags",
}
"""What to do where the adapted model is not shown to beat a baseline."""

MAX_NAMED = 6
"""Types that are named in a message."""


@dataclass(frozen=True)
class TokenClassificationSpec:
    """Texts with marked spans as a table holds them; ``notes`` are sentences on how they were read."""

    columns: Mapping[str, str]
    primary_metric: str
    reading: str = "marked spans"
    notes: tuple[str, ...] = ()

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> TokenClassificationSpec:
        """Return the spec for a table of words with tags, or of texts with marked spans.

        Raises:
            DataError: the table has neither.
            UsageError: the loss or the metric does not go with entities.
        """
        columns = find_annotation_columns(table, recipe)
        if recipe.training.loss not in ("auto", LOSS):
            raise UsageError(f"--loss {recipe.training.loss} is not for entities; leave it out")
        metric = primary_metric(recipe.evaluation.primary_metric, "entity_f1", formulas.metrics(1), on="entities")
        annotations = read_annotations(table, columns)
        # What the parser of CoNLL adds to the columns of the file is read, too.
        own = {"lines": LINES, "document": DOCUMENT} if table.format == "conll" else {}
        notes = (*notes_on_columns(table, {**columns, **own}), *annotations.notes)
        return cls(columns, metric, annotations.description, notes)

    @property
    def info(self) -> TaskInfo:
        """What is particular to token classification."""
        kept = f', kept together by "{self.columns["group"]}"' if "group" in self.columns else ""
        return TaskInfo(
            name="token-classification",
            head="token_classification",
            head_purpose="entities",
            frozen_method="word regression",
            cleaning="in place",
            loss=LOSS,
            example="test text",
            primary_metric=self.primary_metric,
            metric_names=tuple(formulas.metrics(1)),
            columns=self.columns,
            description=f"texts with entities, {self.reading}{kept}",
            notes=self.notes,
            defaults=DEFAULTS,
            saved_settings={"task": "token-classification"},
            model_files=("tokenizer_limit",),
            instead=INSTEAD,
        )

    def read(self, table: Table) -> Examples:
        """Return the texts of a table with their tags; rows that are no texts are skipped and named."""
        annotations = read_annotations(table, self.columns)
        grouped = self.columns.get("group")
        groups = {row.number: group(table, row, grouped) for row in table.rows} if grouped else {}
        documents = any(each.document is not None for each in annotations.texts)
        examples: list[Example] = []
        for each in annotations.texts:
            document = each.document or f"row {each.row}" if documents else None
            examples.append(tagged(each, groups.get(each.row) if grouped else document))
        problem = None
        if not types_in(examples):
            problem = DataError.at(table.path, "no text has a marked span; there is nothing to learn")
        return Examples(examples, dict(annotations.set_aside), problem, annotations.notes)

    def with_splits(
        self, splits: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None
    ) -> TokenClassification:
        """Return the task with a tag to begin and one to go on for every type of the training examples.

        Where these are the very tags of the checkpoint, they stay in its order, so that its head can stay.

        Raises:
            DataError: the training examples or those of the test have no entity, or none of the same type.
        """
        counts = {split: types_in(examples) for split, examples in splits.items()}
        types = sorted(counts.get("train", {}))
        if not types:
            raise DataError("no training example has a marked span; take more examples, or another split")
        tested = counts.get("test", {})
        if splits.get("test") and not tested:
            raise DataError("no test example has a marked span, so there is nothing to find; take another test")
        if tested and not set(tested) & set(types):
            raise DataError(
                f"the test examples have entities of the types {_listed(sorted(tested))}, the training examples of "
                f"{_listed(types)}; none of them is the same; write them in one way"
            )
        labels = _tags(types)
        known = [] if checkpoint is None else tags_of(checkpoint)
        unseen = sorted({name for each in counts.values() for name in each} - set(types))
        every = [example for examples in splits.values() for example in examples]
        notes = [*self.notes, *_notes_on_spans(every)]
        if unseen:
            notes.append(
                f"training has no entity of the types {_listed(unseen)}; no model can find those of the others"
            )
        return self._task(known if set(known) == set(labels) else labels, unseen, every, tuple(notes))

    def with_saved_settings(self, settings: Mapping[str, Any]) -> TokenClassificationSpec:
        """Return the spec as it is."""
        return self

    def for_model(self, checkpoint: Checkpoint, examples: Sequence[Example]) -> TokenClassification:
        """Return the task for a model that has its tags already; other types in the examples are missed.

        Raises:
            CheckpointError: the model gives no tags, or others than those of IOB2.
            DataError: the examples have none of its types.
        """
        known = tags_of(checkpoint)
        if not known:
            raise CheckpointError(
                f'"{checkpoint.name}" finds no entities, so there is nothing to measure on them; adapt it first, or '
                "name a run that finds entities"
            )
        return self.for_tags(known, examples, name=checkpoint.name)

    def for_tags(self, tags: Sequence[str], examples: Sequence[Example], *, name: str) -> TokenClassification:
        """Return the task for tags that are fixed; see ``for_model``."""
        others = [each for each in tags if each != OUTSIDE and each[:2] not in ("B-", "I-")]
        if others or OUTSIDE not in tags:
            raise CheckpointError(
                f'"{name}" has the tags {_listed(tags)}; expected O, and B- and I- with the name of each type (IOB2)'
            )
        types, given = {each[2:] for each in tags if each != OUTSIDE}, types_in(examples)
        if given and not types & set(given):
            raise DataError(
                f"the examples have entities of the types {_listed(sorted(given))}, the model knows "
                f"{_listed(sorted(types))}; none of them is the same"
            )
        unseen = sorted(set(given) - types)
        unknown = [f"the model does not know the types {_listed(unseen)}, and finds none of them"] if unseen else []
        return self._task(tags, unseen, examples, (*self.notes, *_notes_on_spans(examples), *unknown))

    @property
    def reads_scored_pairs(self) -> bool:
        """A general set may be scored pairs, too."""
        return True

    def general_spec(self, table: Table, recipe: Recipe) -> TokenClassificationSpec | None:
        """Return the spec of a general set of texts with entities; None where the table has none."""
        try:
            return replace(self, columns=find_annotation_columns(table, recipe.with_sections(columns={})))
        except DataError:
            return None

    def general_task(
        self, general: TaskSpec, task: Task, checkpoint: Checkpoint, examples: Sequence[Example], path: str
    ) -> TokenClassification:
        """Return the task that measures a general set with the types of the domain.

        Raises:
            DataError: the set has other types.
        """
        assert isinstance(general, TokenClassificationSpec)
        measured = general.for_tags(task.labels, examples, name=path)
        if measured.unseen:
            unknown = _listed(list(dict.fromkeys(tag[2:] for tag in measured.unseen)))
            raise DataError(f"{path}: holds entities of the types {unknown}, which the domain has not")
        return measured

    def _task(
        self, labels: Sequence[str], unseen: Sequence[str], examples: Sequence[Example], notes: tuple[str, ...]
    ) -> TokenClassification:
        types = len({tag[2:] for tag in labels if tag != OUTSIDE})
        info = replace(self.info, description=f"{self.info.description} ({count(types, 'type')})", notes=notes)
        width = max((len(each.words) for each in as_tagged(examples)), default=1)
        return TokenClassification(info, tuple(labels), tuple(_tags(unseen)[1:]), width)


def _tags(types: Sequence[str]) -> list[str]:
    """Return the tags of IOB2 for some types, the one for outside first."""
    return [OUTSIDE, *(f"{prefix}-{name}" for name in types for prefix in "BI")]


def _notes_on_spans(examples: Sequence[Example]) -> list[str]:
    """Return a sentence on spans that begin or end inside a word, and one on those that no tags can express."""
    texts = {id(each): each for each in as_tagged(examples)}.values()
    notes: list[str] = []
    if widened := sum(each.widened for each in texts):
        notes.append(
            f"{count(widened, 'entity begins or ends', 'entities begin or end')} inside a word, and "
            f"{'is' if widened == 1 else 'are'} taken for whole words"
        )
    if lost := sum(len(each.unexpressed) for each in texts):
        shares = "shares a word" if lost == 1 else "share a word"
        notes.append(
            f"{count(lost, 'entity', 'entities')} {shares} with the one before: not learned, and counted as missed"
        )
    return notes


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
