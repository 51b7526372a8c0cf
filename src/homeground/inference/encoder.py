"""A model in use: texts to embeddings and similarities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import Checkpoint, read_settings
from homeground.data.tokens.tokenized import tokenize
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import UsageError
from homeground.inference.model_in_use import BATCH_SIZE, ModelInUse
from homeground.inference.texts import Texts, read_texts, require_top
from homeground.tasks.similarity.similarity import similarity, similarity_matrix

ManyTexts = Iterable[str | None]
"""A list, array or column of texts; a missing one is None, NaN or without any text."""


class Match(NamedTuple):
    """A text that a search has found: its place in the list, the text, and its similarity to the query."""

    index: int  # pyright: ignore[reportIncompatibleMethodOverride]
    text: str
    score: float


class Encoder(ModelInUse):
    """A sentence encoder; the embedding of a text does not depend on the other texts of a call.

    A missing text (None, NaN, or white space alone) has an embedding and similarities of NaN, as it has in files. Texts
    longer than the model reads are cut; ``truncated`` is their number over all calls.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: str = "torch") -> None:
        super().__init__(checkpoint, engine=engine)
        # A checkpoint from elsewhere does not name its similarity; angular is the default of the task.
        self.kind = str(read_settings(checkpoint.folder / "homeground.json").get("similarity", "angular"))

    @cached_property
    def _model(self) -> Model:
        return open_engine(self._engine).open_model(self.checkpoint, head="encoder")

    @cached_property
    def dimensions(self) -> int:
        """The number of dimensions of an embedding."""
        return self.encode(["text"]).shape[1]

    def encode(
        self,
        texts: str | ManyTexts,
        *,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool | None = False,
        normalize_embeddings: bool = False,
    ) -> NDArray[np.float32]:
        """Return the embeddings of texts, ``(texts, dimensions)`` in float32; that of one text is ``(dimensions,)``.

        ``normalize_embeddings`` gives them the length 1.

        Raises:
            UsageError: it is no text and no list of texts.
        """
        read = read_texts(texts, "encode")
        singles = [sides[0] for sides in read.sides]
        embeddings = self._embed(singles, batch_size, show_progress_bar=show_progress_bar)
        if normalize_embeddings:
            embeddings = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
        return read.spread(embeddings)

    @overload  # a str is an iterable of str, too, hence the overlap
    def similarity(  # pyright: ignore[reportOverlappingOverload]
        self, texts_1: str, texts_2: str, *, batch_size: int = BATCH_SIZE
    ) -> float: ...
    @overload
    def similarity(
        self, texts_1: str | ManyTexts, texts_2: str | ManyTexts, *, batch_size: int = BATCH_SIZE
    ) -> NDArray[np.float64]: ...
    def similarity(
        self, texts_1: str | ManyTexts, texts_2: str | ManyTexts, *, batch_size: int = BATCH_SIZE
    ) -> float | NDArray[np.float64]:
        """Return the similarity of two texts, of one text with each of many, or of pairs of texts, ``(pairs,)``.

        Angular similarity is in [0, 1], 0.5 for unrelated texts; of a model trained with a cosine loss the similarity
        is the cosine, in [-1, 1].

        Raises:
            UsageError: the two lists have different lengths.
        """
        sides = [_singles(read_texts(texts, "similarity")) for texts in (texts_1, texts_2)]
        one = [isinstance(texts, str) for texts in (texts_1, texts_2)]
        if not any(one) and len(sides[0]) != len(sides[1]):
            raise UsageError(
                f"similarity takes pairs: got {len(sides[0])} first and {len(sides[1])} second texts; "
                "for one text against many give it as a str, for all pairs use similarities"
            )
        count = max((len(side) for side, single in zip(sides, one, strict=True) if not single), default=1)
        first, second = (side * count if single else side for side, single in zip(sides, one, strict=True))
        embeddings, place_of = self._distinct([*first, *second], batch_size)
        values = similarity(
            embeddings[[place_of[t] for t in first]], embeddings[[place_of[t] for t in second]], self.kind
        )
        return float(values[0]) if all(one) else values

    def similarities(self, texts: ManyTexts, *, batch_size: int = BATCH_SIZE) -> NDArray[np.float64]:
        """Return the similarities of all pairs of texts, ``(texts, texts)``."""
        if isinstance(texts, str):
            raise UsageError("similarities compares a list of texts with each other; got one text")
        return similarity_matrix(self.encode(texts, batch_size=batch_size), self.kind)

    @overload
    def search(  # pyright: ignore[reportOverlappingOverload]
        self, query: str, texts: ManyTexts, *, top: int | None = ..., batch_size: int = ...
    ) -> list[Match]: ...
    @overload
    def search(
        self, query: ManyTexts, texts: ManyTexts, *, top: int | None = ..., batch_size: int = ...
    ) -> list[list[Match]]: ...
    def search(
        self, query: str | ManyTexts, texts: ManyTexts, *, top: int | None = 10, batch_size: int = BATCH_SIZE
    ) -> list[Match] | list[list[Match]]:
        """Return the ``top`` texts most similar to a query, the most similar first; of several queries a list each.

        A missing text is never found; a missing query finds nothing. None for ``top`` returns all texts.

        Raises:
            UsageError: ``texts`` is no list of texts, or ``top`` is below 1.
        """
        require_top(top)
        if isinstance(texts, str):
            raise UsageError("search compares a query with a list of texts; got one text; write [text]")
        queries, candidates = read_texts(query, "search"), read_texts(texts, "search")
        searched = [sides[0] for sides in candidates.sides]
        embeddings, place_of = self._distinct([*searched, *(sides[0] for sides in queries.sides)], batch_size)
        known = embeddings[[place_of[text] for text in searched]]
        results: list[list[Match]] = []
        for (text,) in queries.sides:
            scores = similarity(embeddings[place_of[text]][None], known, self.kind)
            order = np.argsort(-scores, kind="stable")[:top].tolist()
            results.append([Match(candidates.places[at], searched[at], float(scores[at])) for at in order])
        return queries.spread_list(results, [])

    def figures(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the embeddings of texts."""
        return self.encode(texts)

    def _facts(self) -> dict[str, str]:
        return {"similarity": repr(self.kind)}

    def _distinct(
        self, texts: Sequence[str | None], batch_size: int
    ) -> tuple[NDArray[np.float32], dict[str | None, int]]:
        """Return the embeddings of the distinct texts, and the place of each; that of a missing text is NaN."""
        place_of = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        return self.encode(list(place_of), batch_size=batch_size), place_of

    def _embed(
        self, texts: Sequence[str], batch_size: int, *, show_progress_bar: bool | None = False
    ) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        tokenized = tokenize(texts, self._tokenizer)
        self.truncated += tokenized.truncated

        def embeddings(items: NDArray[np.int64]) -> NDArray[np.float32]:
            input_ids, mask = tokenized.pad(items[:, None], self._padding)
            return self._model.predict({"input_ids": input_ids, "attention_mask": mask})["embeddings"][:, 0]

        return self._map(tokenized.lengths, batch_size, embeddings, show_progress_bar=show_progress_bar)


def _singles(texts: Texts) -> list[Any]:
    """Return single texts, None for a missing one."""
    return [None if item is None else item[0] for item in texts.items]
