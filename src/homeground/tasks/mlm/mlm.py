"""Masked language modelling: tokens of plain text are hidden and the model learns to fill them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from homeground.data.documents import Document, sources_of
from homeground.data.examples import Example
from homeground.data.tokens.tokenized import IGNORED_LABEL, TextTokens
from homeground.errors import DataError
from homeground.randomness import generator
from homeground.statistics import masked as formulas
from homeground.tasks.mlm.blanks import compare_words, find_blanks, show_blanks
from homeground.tasks.mlm.blocks import SHORT_TEXT_TOKENS, MaskedRows, Vocabulary, cut
from homeground.tasks.mlm.masking import Masking, choose_known, corrupt
from homeground.tasks.mlm.pseudo_likelihood import WORD_COLUMNS, PseudoLikelihood, WordRows, draw_words, word_line
from homeground.tasks.task import (
    Batch,
    MeasuredModel,
    Measurement,
    Metric,
    Occasion,
    TaskInfo,
    TokenizedExamples,
    defined_scores,
)
from homeground.wording import count

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TUTORIAL_MASKING = Masking()
"""Each token by itself, as the tutorials mask."""

MEASURED_MASKING = Masking(0.15, whole_word=False, mask_share=1.0, random_share=0.0)
"""What is measured, whatever is masked in training: always the mask token."""


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """Plain texts, decided by the loss of masked tokens in nats.

    ``mask`` is the id of the mask token. ``masking`` is the training's; measured is always 15%, each token by the mask
    token, the same ones before and after: they follow from ``seed`` and are drawn ``draws`` times, and once more as the
    tutorials mask where ``tutorial`` is set.
    """

    info: TaskInfo
    mask: int
    seed: int
    masking: Masking
    line_by_line: bool
    draws: int
    tutorial: bool = True
    labels: tuple[str, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        return formulas.METRICS

    def for_examples(self, examples: Sequence[Example], *, to_choose: bool = False) -> MaskedLanguageModelling:
        """Return the task itself; to choose by, one draw of masks is enough."""
        return replace(self, draws=1, tutorial=False) if to_choose else self

    def tokenize(self, examples: Sequence[Example], tokens: TextTokens) -> MaskedRows:
        """Return the blocks of documents of one source, whose texts the source tokenizes once.

        Raises:
            DataError: the tokenizer knows no token of the texts.
        """
        sources, tokenizer = sources_of(examples), tokens.tokenizer
        assert len(sources) == 1, "documents of one file"
        documents = sources[0].tokenized(tokenizer)
        vocabulary = Vocabulary.of(tokenizer, mask=self.mask, padding=tokens.padding)
        truncation = tokenizer.truncation
        assert truncation is not None
        room = int(truncation["max_length"]) - len(vocabulary.prefix) - len(vocabulary.suffix)
        places = documents.places([example.row for example in examples])
        starts, ends = documents.starts[places], documents.starts[places + 1]
        blocks, owner, truncated = cut(starts, ends, room, whole=self.line_by_line)
        # Of a block of unknown tokens alone nothing can be masked.
        known = vocabulary.knows(np.asarray(documents.ids[blocks[:, 0]]))
        for block in np.flatnonzero(~known).tolist():
            known[block] = vocabulary.knows(np.asarray(documents.ids[slice(*blocks[block])])).any()
        blocks, owner = blocks[known], owner[known]
        if not len(blocks):
            raise DataError(
                f"{sources[0].table.path}: the tokenizer knows no token of the texts, so none can be masked"
            )
        return MaskedRows(documents, blocks, owner, places, vocabulary, tokenizer, self.draws, self.tutorial, truncated)

    def collate(
        self, rows: MaskedRows, items: Ints, occasion: Occasion, *, epoch: int = 0, seed: int = 0
    ) -> tuple[Batch, float]:
        """Return a padded batch ``(items, length)`` with labels where tokens are masked, and how many these are.

        Masks follow from (``seed``, epoch, block) in training and from (the task's seed, draw, block) in measuring.
        """
        contents: list[Ints] = []
        labels: list[Ints] = []
        for item in items.tolist():
            draw, block = divmod(item, len(rows.blocks))
            ids, marks = rows.content(block)
            if occasion == "training":
                random, masking = generator(seed, "mask", epoch, block), self.masking
            else:
                random = generator(self.seed, "measured mask", draw, block)
                masking = TUTORIAL_MASKING if draw == rows.draws else MEASURED_MASKING
            vocabulary = rows.vocabulary
            known = vocabulary.knows(ids)
            chosen = choose_known(marks, known, random, masking.probability, masking.whole_word)
            hidden = corrupt(
                ids, chosen, random, masking=masking, mask_id=vocabulary.mask, replacements=vocabulary.replacements
            )
            contents.append(hidden)
            labels.append(np.where(chosen, ids, IGNORED_LABEL))
        batch = rows.vocabulary.batch(contents, labels)
        return batch, max(float((batch["labels"] != IGNORED_LABEL).sum()), 1.0)

    def reduce(self, batch: Batch, outputs: Batch) -> Floats:
        """Return of every item the number of its masked tokens, their summed loss and how many came first."""
        item = np.nonzero(batch["labels"] != IGNORED_LABEL)[0]
        count = len(batch["labels"])
        columns = (np.ones(len(item)), -outputs["log_probabilities"].astype(np.float64), outputs["first"])
        return np.stack([np.bincount(item, column, count) for column in columns], axis=1).astype(np.float64)

    def score(self, rows: MaskedRows, reduced: Floats) -> Floats:
        """Return the sums of every document, ``(documents, 5)``: see ``statistics.masked``."""
        passes = reduced.reshape(rows.passes, len(rows.blocks), -1)
        measured = passes[: rows.draws].sum(0)
        tutorial = passes[rows.draws :, :, :2].sum(0)
        sums = np.zeros((rows.documents, formulas.PREDICTED_COLUMNS))
        np.add.at(sums, rows.owner, np.hstack([measured, tutorial]))
        return sums

    def measure(self, rows: MaskedRows, predictions: Floats) -> Measurement:
        """Return the metrics of the sums of documents, with their statistics."""
        tokens, words = rows.lengths_of_documents, rows.tokens.words[rows.places]
        characters = rows.tokens.characters[rows.places]
        statistics = np.hstack([predictions, np.stack([tokens, words, characters], axis=1)]).astype(np.float64)
        return Measurement(predictions, statistics, defined_scores(self.metrics, statistics))

    def example_line(self, example: Example, before: Floats, after: Floats) -> dict[str, Any]:
        """Return how many tokens of a document were masked, over all draws, and the mean loss of either side.

        Of words, where they decide, how many of the document were asked for and their mean loss.
        """
        if len(before) == WORD_COLUMNS:
            return word_line(before, after)
        masked = max(float(before[formulas.MASKED_COLUMN]), 1.0)
        sides = {"before": before, "after": after}
        means = {name: round(float(side[formulas.LOSS_COLUMN]) / masked, 6) for name, side in sides.items()}
        return {"masked": int(before[formulas.MASKED_COLUMN]), **means}

    def baselines(self, train: TokenizedExamples, test: TokenizedExamples) -> dict[str, Floats]:
        """Return what the frequencies of the training tokens predict for the masked tokens of the test documents.

        Nothing for words: their tokens are asked for one after the other.
        """
        if isinstance(test.rows, WordRows):
            return {}
        return {"token frequencies": self._frequencies(train.rows, test.rows)}

    def report_details(
        self, test: TokenizedExamples, titles: Sequence[str] | None, before: MeasuredModel, after: MeasuredModel
    ) -> dict[str, Any]:
        """Return sentences with a blank as either model fills it, and the words whose prediction changed most.

        Nothing where words decide: the models may have different tokens.
        """
        if isinstance(test.rows, WordRows):
            return {}
        rows: MaskedRows = test.rows
        numbers = [example.row for example in test.examples]
        blanks = find_blanks(sources_of(test.examples)[0], numbers, rows, seed=self.seed)

        def collate(items: Ints) -> Batch:
            return self.collate(rows, items, "measuring")[0]

        words = compare_words(rows, collate, before, after, seed=self.seed)
        return {"blanks": show_blanks(blanks, rows, before, after), "improved_words": words}

    def short_notes(self, splits: Sequence[MaskedRows]) -> list[str]:
        """Return a sentence that counts the documents of fewer tokens than say much about a missing word, or none."""
        short = sum(rows.short for rows in splits)
        return (
            [
                f"{count(short, 'text has', 'texts have')} fewer than {SHORT_TEXT_TOKENS} tokens, little to tell a "
                "missing word by"
            ]
            if short
            else []
        )

    def word_rows(
        self, documents: Sequence[Example], count: int, tokens: TextTokens, *, max_length: int
    ) -> tuple[PseudoLikelihood, WordRows]:
        """Return the task of filling in ``count`` words of the documents, and their rows."""
        task = PseudoLikelihood()
        rows = task.tokenize(
            draw_words(cast(Sequence[Document], documents), count, seed=self.seed),
            tokens.tokenizer,
            documents=len(documents),
            mask=self.mask,
            padding=tokens.padding,
            longest=max_length,
        )
        return task, rows

    def _frequencies(self, learned: MaskedRows, rows: MaskedRows) -> Floats:
        """Return the sums that token frequencies, each raised by one (Laplace), would get."""
        # A text may spell out a special token, which need not lie among the others.
        counts = np.ones(max(rows.tokenizer.get_vocab(with_added_tokens=True).values()) + 1)
        for start, end in zip(*learned.bounds, strict=True):
            counts += np.bincount(learned.tokens.ids[start:end], minlength=len(counts))
        counts[rows.vocabulary.unknown] = 0
        with np.errstate(divide="ignore"):
            log_probabilities = np.log(counts / counts.sum())
        first = int(np.argmax(counts))
        parts: list[Floats] = []
        for item in range(len(rows.blocks) * rows.passes):
            batch, _ = self.collate(rows, np.array([item]), "measuring")
            targets = batch["labels"][batch["labels"] != IGNORED_LABEL]
            parts.append(
                self.reduce(batch, {"log_probabilities": log_probabilities[targets], "first": targets == first})
            )
        return self.score(rows, np.concatenate(parts))
