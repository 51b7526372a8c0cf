"""Masked language modelling: tokens of plain text are hidden and the model learns to fill them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, mask_id
from homeground.data.documents import Document, Source
from homeground.data.examples import Example, Examples, digest
from homeground.data.formats import delimiter_hint
from homeground.data.tables import DELIMITERS, Table, column_error, group
from homeground.data.units import PairUnits
from homeground.errors import DataError, UsageError, nearest
from homeground.randomness import generator
from homeground.recipe.recipe import Recipe
from homeground.statistics import masked as formulas
from homeground.tasks.classification.labels import LISTED, TEXT_NAMES
from homeground.tasks.mlm.blanks import compare_words, find_blanks, show_blanks
from homeground.tasks.mlm.blocks import IGNORED, MaskedRows, Vocabulary, cut
from homeground.tasks.mlm.masking import Masking, choose, corrupt
from homeground.tasks.task import Batch, Measured, Metric, Occasion, RareClass, Side, Split

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK = 128
"""Tokens of a block where nothing else is said; what attention takes grows with the square of it."""

LOSS = "masked_cross_entropy"


BY_TOKEN = Masking()
"""Each token by itself, as the tutorials mask."""

MEASURED = Masking(0.15, whole_word=False, mask_share=1.0, random_share=0.0)
"""What is measured, whatever is masked in training: always the mask token."""


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """Plain texts, decided by the loss of masked tokens in nats.

    ``masking`` is the training's; measured is always 15%, each token by the mask token, the same ones before and after.
    """

    columns: Mapping[str, str]
    primary_metric: str = "masked_loss"
    loss: str = LOSS
    seed: int = 0
    training_seed: int = 0
    masking: Masking = BY_TOKEN
    line_by_line: bool = False
    draws: int = 3
    tutorial: bool = True
    mask: int = -1
    remarks: tuple[str, ...] = ()
    name: str = "mlm"
    noun: str = "test document"
    head: str = "masked_lm"
    pipeline_tag: str = "fill-mask"
    in_batch_negatives: bool = False
    labels: tuple[str, ...] = ()
    margin: float = 0.05

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> MaskedLanguageModelling:
        """Return the task for a table with a column of texts.

        Raises:
            DataError: which column that is cannot be told.
            UsageError: the loss or the metric does not go with plain texts.
        """
        columns = find_text(table, recipe)
        if recipe.training.loss not in ("auto", LOSS):
            raise UsageError(f"--loss {recipe.training.loss} is not for plain texts; leave it out")
        metric = recipe.evaluation.primary_metric or "masked_loss"
        if metric not in formulas.METRICS:
            raise UsageError(
                f'--primary-metric "{metric}" is not measured on plain texts; {nearest(metric, formulas.METRICS)}'
            )
        masking = recipe.masking
        return cls(
            columns,
            metric,
            seed=recipe.seed,
            training_seed=recipe.seed,
            masking=Masking(masking.mlm_probability, masking.whole_word),
            line_by_line=masking.line_by_line,
            draws=recipe.evaluation.mask_draws,
            remarks=_unread(table, columns) if recipe.task is None else (),
        )

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        return formulas.METRICS

    @property
    def greater_is_better(self) -> Mapping[str, bool]:
        """Which metrics are better the greater they are."""
        return formulas.GREATER_IS_BETTER

    @property
    def loss_metric(self) -> str | None:
        """The masked loss; it is measured with the mask token alone, whatever stands there in training."""
        return "masked_loss"

    def settled(self, parts: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> MaskedLanguageModelling:
        """Return the task with the mask token of the checkpoint, and what to know about the texts.

        Raises:
            CheckpointError: the tokenizer has no mask token.
        """
        sources = {id(source): source for part in parts.values() for source in _sources(part)}
        control = sum(source.control for source in sources.values())
        told = (f"{control} texts hold control characters",) if control else ()
        mask = -1 if checkpoint is None else mask_id(checkpoint)
        return replace(self, mask=mask, remarks=(*self.remarks, *told))

    def on(self, examples: Sequence[Example], *, choosing: bool = False) -> MaskedLanguageModelling:
        """Return the task itself; to choose by, one draw of masks is enough."""
        return replace(self, draws=1, tutorial=False) if choosing else self

    def trained_with(self, seed: int) -> MaskedLanguageModelling:
        """Return the task with other masks in training; those it is measured with stay."""
        return replace(self, training_seed=seed)

    def settings(self) -> dict[str, Any]:
        """Return what a saved model must know: the task."""
        return {"task": self.name}

    def understood(self) -> str:
        """Say in one sentence how the file was understood."""
        kept = f', kept together by "{self.columns["group"]}"' if "group" in self.columns else ""
        return f'plain texts, "{self.columns["text"]}", whose words are masked and learned{kept}'

    def read(self, table: Table) -> Examples:
        """Return the documents of a table; rows without text are set aside and named."""
        source = Source(table, self.columns["text"])
        examples: list[Example] = []
        found: set[int] = set()
        grouped = self.columns.get("group")
        groups = {row.number: group(table, row, grouped) for row in table.rows} if grouped else {}
        for number, written in source.texts():
            source.noted(number, written)
            found.add(number)
            examples.append(Document(number, (), group=groups.get(number), key=digest([written]), source=source))
        empty = [row.number for row in table.rows if row.number not in found] if len(found) < len(table.rows) else []
        return Examples(examples, {"empty text": empty} if empty else {})

    def tokenize(self, examples: Sequence[Example], tokenizer: Tokenizer, padding: int) -> MaskedRows:
        """Return the blocks of documents of one source; its texts are tokenized once, whatever is asked for first."""
        sources = _sources(examples)
        assert len(sources) == 1, "documents of one file"
        tokens = sources[0].tokenized(tokenizer)
        vocabulary = Vocabulary.of(tokenizer, mask=self.mask, padding=padding)
        told = tokenizer.truncation
        assert told is not None
        room = int(told["max_length"]) - len(vocabulary.prefix) - len(vocabulary.suffix)
        places = tokens.places([example.row for example in examples])
        blocks, owner, truncated = cut(tokens.starts[places], tokens.starts[places + 1], room, whole=self.line_by_line)
        return MaskedRows(tokens, blocks, owner, places, vocabulary, tokenizer, self.draws, self.tutorial, truncated)

    def collate(self, rows: MaskedRows, items: Ints, occasion: Occasion, *, epoch: int = 0) -> tuple[Batch, float]:
        """Return a padded batch ``(items, length)`` with labels where tokens are masked, and how many these are.

        Masks follow from (seed, epoch, block) in training and from (seed, draw, block) in measuring.
        """
        contents: list[Ints] = []
        labels: list[Ints] = []
        for item in items.tolist():
            draw, block = divmod(item, len(rows.blocks))
            ids, marks = rows.content(block)
            if occasion == "training":
                random, masking = generator(self.training_seed, "mask", epoch, block), self.masking
            else:
                random = generator(self.seed, "measured mask", draw, block)
                masking = BY_TOKEN if draw == rows.draws else MEASURED
            chosen = choose(marks, random, masking.probability, masking.whole_word)
            vocabulary = rows.vocabulary
            hidden = corrupt(
                ids, chosen, random, masking=masking, mask_id=vocabulary.mask, replacements=vocabulary.replacements
            )
            contents.append(hidden)
            labels.append(np.where(chosen, ids, IGNORED))
        batch = rows.vocabulary.batch(contents, labels)
        return batch, max(float((batch["labels"] != IGNORED).sum()), 1.0)

    def reduce(self, batch: Batch, outputs: Batch) -> Floats:
        """Return of every item the number of its masked tokens, their summed loss and how many came first."""
        item = np.nonzero(batch["labels"] != IGNORED)[0]
        count = len(batch["labels"])
        columns = (np.ones(len(item)), -outputs["log_probabilities"].astype(np.float64), outputs["first"])
        return np.stack([np.bincount(item, column, count) for column in columns], axis=1).astype(np.float64)

    def score(self, rows: MaskedRows, reduced: Floats) -> Floats:
        """Return the sums of every document, ``(documents, 5)``: see ``metrics.masked``."""
        passes = reduced.reshape(rows.passes, len(rows.blocks), -1)
        measured = passes[: rows.draws].sum(0)
        tutorial = passes[rows.draws :, :, :2].sum(0)
        sums = np.zeros((rows.documents, formulas.PREDICTED))
        np.add.at(sums, rows.owner, np.hstack([measured, tutorial]))
        return sums

    def measure(self, rows: MaskedRows, predictions: Floats) -> Measured:
        """Return the metrics of the sums of documents, with their statistics."""
        tokens, words = rows.lengths_of_documents, rows.tokens.words[rows.places]
        characters = rows.tokens.characters[rows.places]
        statistics = np.hstack([predictions, np.stack([tokens, words, characters], axis=1)]).astype(np.float64)
        sums = statistics.sum(0)
        scores = {name: float(metric(sums)) for name, metric in self.metrics.items()}
        return Measured(predictions, statistics, {name: value for name, value in scores.items() if np.isfinite(value)})

    def discordant(self, before: Measured, after: Measured) -> int | None:
        """Return None: a loss is not right or wrong."""
        return None

    def too_rare(self, metric: str, measured: Measured, units: PairUnits) -> RareClass | None:
        """Return None: masked tokens are no classes."""
        return None

    def line(self, example: Example, before: Floats, after: Floats) -> dict[str, Any]:
        """Return how many tokens of a document were masked, over all draws, and the mean loss of either side."""
        masked = max(float(before[formulas.MASKED]), 1.0)
        sides = {"before": before, "after": after}
        means = {name: round(float(side[formulas.LOSS]) / masked, 6) for name, side in sides.items()}
        return {"masked": int(before[formulas.MASKED]), **means}

    def baselines(self, train: Split, test: Split) -> dict[str, Floats]:
        """Return what the frequencies of the training tokens predict for the masked tokens of the test documents."""
        return {"token frequencies": self._frequencies(train.rows(), test.rows())}

    def exhibits(self, test: Split, titles: list[str] | None, before: Side, after: Side) -> dict[str, Any]:
        """Return sentences with a blank as either side fills it, and the words whose prediction changed most."""
        rows: MaskedRows = test.rows()
        models = (before.model, after.model)
        numbers = [example.row for example in test.examples]
        found = find_blanks(_sources(test.examples)[0], numbers, rows, seed=self.seed)

        def collate(items: Ints) -> Batch:
            return self.collate(rows, items, "measuring")[0]

        words = compare_words(rows, collate, *models, seed=self.seed)
        return {"blanks": show_blanks(found, rows, *models), "improved_words": words}

    def _frequencies(self, learned: MaskedRows, rows: MaskedRows) -> Floats:
        """Return the sums that token frequencies, each raised by one (Laplace), would get."""
        # A text may spell out a special token, which need not lie among the others.
        counts = np.ones(max(rows.tokenizer.get_vocab(with_added_tokens=True).values()) + 1)
        for start, end in zip(*learned.bounds, strict=True):
            counts += np.bincount(learned.tokens.ids[start:end], minlength=len(counts))
        log_probabilities = np.log(counts / counts.sum())
        first = int(np.argmax(counts))
        parts: list[Floats] = []
        for item in range(len(rows.blocks) * rows.passes):
            batch, _ = self.collate(rows, np.array([item]), "measuring")
            targets = batch["labels"][batch["labels"] != IGNORED]
            parts.append(
                self.reduce(batch, {"log_probabilities": log_probabilities[targets], "first": targets == first})
            )
        return self.score(rows, np.concatenate(parts))


def find_text(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return which column holds the text: the named one, the one with a usual name, or the only one.

    Raises:
        DataError: a named column is not there, or it cannot be told.
    """
    named = {part: name for part in ("text", "group") if (name := getattr(recipe.columns, part))}
    for name in named.values():
        if name not in table.columns:
            raise column_error(table, name)
    usual = [column for name in TEXT_NAMES for column in table.columns if column.strip().lower() == name]
    grouped = [column for column in table.columns if column.strip().lower() == "group" and column not in named.values()]
    if "group" not in named and grouped:
        named["group"] = grouped[0]
    if "text" not in named:
        found = usual or (list(table.columns) if len(table.columns) == 1 else [])
        if table.format in DELIMITERS and not usual and found and delimiter_hint(found[0], DELIMITERS[table.format]):
            raise column_error(table, "text")
        if not found:
            listed = ", ".join(f'"{column}"' for column in table.columns)
            raise DataError.at(
                table.path, f"which column holds the text? the columns are {listed}; name it with --text"
            )
        named["text"] = found[0]
    return named


def _unread(table: Table, columns: Mapping[str, str]) -> tuple[str, ...]:
    """Say which columns are not read where nobody named the task: one of them may have been meant as the label."""
    unread = [f'"{column}"' for column in table.columns if column not in columns.values()]
    if not unread:
        return ()
    more = f" and {len(unread) - LISTED} more" if len(unread) > LISTED else ""
    listed = ", ".join(unread[:LISTED]) + more
    return (f"learned from as plain texts; not read: {listed}. If one of these holds labels, name it with --label",)


def _sources(examples: Sequence[Example]) -> list[Source]:
    found = {id(e.source): e.source for e in examples if isinstance(e, Document) and e.source is not None}
    return list(found.values())
