"""A model in use: texts to the entities in them, with their places and probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint, tags_of
from homeground.data.annotations.running_text import Places, cut_into_words
from homeground.data.annotations.windows import decide, read_words
from homeground.engines import open_engine
from homeground.engines.model import Model, require_trained_head
from homeground.inference.model_in_use import BATCH_SIZE, ModelInUse, listed_labels
from homeground.inference.texts import OneText, read_texts
from homeground.statistics.entities import Tags


class FoundEntity(NamedTuple):
    """An entity: the characters ``[start, end)`` of its text, its label, the mean probability of its words, its words.

    Places count Unicode code points from 0, as Python does.
    """

    start: int
    end: int
    label: str
    probability: float
    text: str


class Tagger(ModelInUse):
    """Finds the entities of texts; what is found in a text does not depend on the other texts of a call.

    A text of any length is read whole, a long one in windows that overlap by half. A missing text (None, NaN, or white
    space alone) gets no prediction (None), as it does in files.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: str = "torch") -> None:
        super().__init__(checkpoint, engine=engine)
        self._tags = Tags.of(tags_of(checkpoint))

    @property
    def types(self) -> tuple[str, ...]:
        """The labels that entities may have."""
        return self._tags.types

    @cached_property
    def _model(self) -> Model:
        model = open_engine(self._engine).open_model(self.checkpoint, head="token_classification")
        require_trained_head(model, self.checkpoint, "entities")
        return model

    def entities(
        self,
        texts: str | Iterable[OneText],
        *,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool | None = False,
    ) -> Any:
        """Return the entities of every text in their order, as a list of ``FoundEntity`` a text.

        Words are runs of letters and digits, single other characters, and single characters of Chinese and its like.
        The tag of a word is that of its first token. The result for one text is not in a list.

        Raises:
            UsageError: it is no text and no list of texts.
        """
        read = read_texts(texts, "entities")
        whole = [sides[0] for sides in read.sides]
        words = [cut_into_words(text) for text in whole]
        decided = self._decided(whole, words, batch_size, show_progress_bar=show_progress_bar)
        return read.spread_list([self._found(*each) for each in zip(whole, words, decided, strict=True)])

    predict = entities

    def figures(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return tag and probability of every word of texts, ``(words, 2)``."""
        return np.concatenate(
            [np.empty((0, 2)), *self._decided(texts, [cut_into_words(text) for text in texts], BATCH_SIZE)]
        )

    def _decided(
        self,
        texts: Sequence[str],
        words: Sequence[Places],
        batch_size: int,
        *,
        show_progress_bar: bool | None = False,
    ) -> list[NDArray[np.float64]]:
        """Return tag and probability of the words of every text, ``(words, 2)`` each."""
        tokens = read_words(texts, words, self._tokenizer, self._padding)

        def compute(items: NDArray[np.int64]) -> NDArray[Any]:
            batch, _ = tokens.pad(items)
            return decide(self._model.predict(batch)["logits"], batch["deciding_tokens"])

        decided = self._map(tokens.lengths, batch_size, compute, show_progress_bar=show_progress_bar)
        return tokens.by_text(tokens.decisions(decided, outside=self._tags.outside, inside=self._tags.inside))

    def _found(self, text: str, words: Places, decisions: NDArray[np.float64]) -> list[FoundEntity]:
        """Return the entities of one text; an inside tag that goes on with nothing begins one, as in a pipeline."""
        found: list[FoundEntity] = []
        for first, end, kind in self._tags.entities(decisions[:, 0].astype(np.int64), strict=False):
            start, stop = words[first][0], words[end - 1][1]
            probability = float(decisions[first:end, 1].mean())
            found.append(FoundEntity(start, stop, self.types[kind], probability, text[start:stop]))
        return found

    def _facts(self) -> dict[str, str]:
        return {"types": listed_labels(self.types)}
