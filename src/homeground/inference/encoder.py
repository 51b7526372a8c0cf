"""A model in use: texts to embeddings and similarities."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, load_tokenizer, padding_id, read_settings
from homeground.data.tokenized import require_characters, tokenize
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import UsageError
from homeground.evaluation.evaluate import embed
from homeground.tasks.similarity.similarity import similarity, similarity_matrix

BATCH_SIZE = 64


class Encoder:
    """A sentence encoder; the embedding of a text does not depend on the other texts of a call.

    Texts longer than the model reads are cut; ``truncated`` is their number over all calls.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: str = "torch") -> None:
        self.checkpoint = checkpoint
        self.truncated = 0
        self._engine = engine
        self._tokenizer: Tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length)
        self._padding = padding_id(checkpoint, self._tokenizer)
        # A checkpoint from elsewhere does not name its similarity; angular is the default of the task.
        self.kind = str(read_settings(checkpoint.folder / "homeground.json").get("similarity", "angular"))

    @cached_property
    def _model(self) -> Model:
        return open_engine(self._engine).open_model(self.checkpoint, head="encoder")

    def encode(self, texts: Sequence[str], *, batch_size: int = BATCH_SIZE) -> NDArray[np.float32]:
        """Return the embeddings of texts, ``(texts, dimensions)`` in float32."""
        if isinstance(texts, str):
            raise UsageError("encode takes a list of texts; got one text; write encode([text])")
        require_characters(texts)
        tokenized = tokenize(texts, self._tokenizer)
        self.truncated += tokenized.truncated
        return embed(self._model, tokenized, padding=self._padding, batch_size=batch_size)

    def similarity(
        self, texts_1: Sequence[str], texts_2: Sequence[str], *, batch_size: int = BATCH_SIZE
    ) -> NDArray[np.float64]:
        """Return the similarity of pairs of texts, ``(pairs,)``.

        Angular similarity is in [0, 1], 0.5 for unrelated texts; of a model trained with a cosine loss the similarity
        is the cosine, in [-1, 1].

        Raises:
            UsageError: the two lists have different lengths.
        """
        if len(texts_1) != len(texts_2):
            raise UsageError(f"similarity takes pairs: got {len(texts_1)} first and {len(texts_2)} second texts")
        distinct = {text: index for index, text in enumerate(dict.fromkeys([*texts_1, *texts_2]))}
        embeddings = self.encode(list(distinct), batch_size=batch_size)
        first, second = ([distinct[text] for text in side] for side in (texts_1, texts_2))
        return similarity(embeddings[first], embeddings[second], self.kind)

    def similarities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the similarities of all pairs of texts, ``(texts, texts)``."""
        return similarity_matrix(self.encode(texts), self.kind)
