"""A model in use: predictions for masked words in texts, with their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from homeground.checkpoint import load_tokenizer, mask_id
from homeground.data.tables import shown
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines import open_engine
from homeground.engines.model import MaskedHead, require_trained_head
from homeground.errors import UsageError
from homeground.inference.encoder import Encoder, ManyTexts
from homeground.inference.model_in_use import BATCH_SIZE
from homeground.inference.texts import read_texts, require_top
from homeground.tasks.mlm.blocks import Vocabulary

ANYWHERE = "[MASK]"
"""The mark of a masked word for every model, whatever its own mask token is."""

ANY_LABEL = 0
"""The label of a mask to predict: any label that is not ignored."""


@dataclass(frozen=True, slots=True)
class MaskCandidate:
    """A token that could replace a mask.

    ``mask`` numbers the masks of the text from 1; ``text`` is the text with this mask replaced; ``probability`` is in
    [0, 1].
    """

    mask: int
    token: str
    text: str
    probability: float
    id: int


Prediction = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Ids and probabilities ``(count,)`` of the likeliest tokens of one mask, the likeliest first."""


@dataclass(frozen=True)
class _Text:
    """A tokenized text: its ids without special tokens, the positions of the masks in them, and their characters."""

    text: str
    ids: list[int]
    positions: list[int]
    spans: list[tuple[int, int]]


@dataclass(frozen=True)
class _Window:
    """The tokens of a text that are read at once, and the positions of the masks to predict in them."""

    text: int
    ids: list[int]
    positions: list[int]


class MaskedLM(Encoder):
    """A masked language model; the predictions for a text do not depend on the other texts of a call.

    Of a text that is longer than the model reads, only the tokens around each mask are read; ``truncated`` is the
    number of such texts. The model is also an encoder: ``encode`` returns the mean of its token vectors.
    """

    windows = False
    """Whether a text was too long, so that only the tokens around its masks were read."""

    @cached_property
    def mask_token(self) -> str:
        """The token that marks a missing word.

        Raises:
            CheckpointError: the tokenizer has none.
        """
        return self._whole.id_to_token(mask_id(self.checkpoint)) or ANYWHERE

    def has_mask(self, text: str) -> bool:
        """Return whether a text has a mask."""
        return ANYWHERE in text or self.mask_token in text

    @overload  # a str is an iterable of str, too, hence the overlap
    def fill_mask(  # pyright: ignore[reportOverlappingOverload]
        self, texts: str, top: int = 5, *, batch_size: int = BATCH_SIZE
    ) -> list[MaskCandidate]: ...
    @overload
    def fill_mask(
        self, texts: ManyTexts, top: int = 5, *, batch_size: int = BATCH_SIZE
    ) -> list[list[MaskCandidate]]: ...
    def fill_mask(
        self, texts: str | ManyTexts, top: int = 5, *, batch_size: int = BATCH_SIZE
    ) -> list[MaskCandidate] | list[list[MaskCandidate]]:
        """Return the ``top`` likeliest tokens of every mask, the likeliest first, the masks of a text in their order.

        "[MASK]" marks a missing word for every model, whatever its own mask token is. For a list of texts the result
        has a list for each, an empty one where a text is missing (None, NaN, or white space alone). Each mask is
        predicted by itself, while the others stay as they are.

        Raises:
            UsageError: a text has no mask, ``top`` is below 1, or it is no text and no list of texts.
            CheckpointError: the head for masked words was never trained.
        """
        require_top(top)
        read = read_texts(texts, "fill_mask")
        encoded = self._encode([sides[0] for sides in read.sides])
        predictions = self._predict(encoded, top, batch_size)
        candidates = [self._candidates(text, each) for text, each in zip(encoded, predictions, strict=True)]
        return read.spread_list(candidates, [])

    def complete(self, text: str, tokens: Sequence[int]) -> str:
        """Return a text with all its masks filled, each with the id of a token."""
        (encoded,) = self._encode([text])
        return self._replace(encoded, dict(enumerate(tokens)))

    @cached_property
    def _head(self) -> MaskedHead:
        model = open_engine(self._engine).open_model(self.checkpoint, head="masked_lm")
        require_trained_head(model, self.checkpoint, "masked words")
        assert isinstance(model.head, MaskedHead)
        return model.head

    @cached_property
    def _whole(self) -> Tokenizer:
        """The tokenizer without a limit."""
        tokenizer = load_tokenizer(self.checkpoint, max_length=self.checkpoint.max_length)
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self._whole, mask=mask_id(self.checkpoint), padding=self._padding)

    def _encode(self, texts: Sequence[str]) -> list[_Text]:
        texts = [text.replace(ANYWHERE, self.mask_token) for text in texts]
        encodings = self._whole.encode_batch(texts, add_special_tokens=False)
        return [self._find_masks(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def _find_masks(self, text: str, encoding: Encoding) -> _Text:
        positions = [position for position, token in enumerate(encoding.ids) if token == self._vocabulary.mask]
        if not positions:
            token = self.mask_token
            raise UsageError(
                f'{shown(text)} has no mask; write {token} where a word is missing, e.g. "The {token} was benign."'
            )
        return _Text(text, encoding.ids, positions, [encoding.offsets[position] for position in positions])

    def _windows(self, index: int, text: _Text) -> list[_Window]:
        """Return the whole text or, where it is too long, the tokens around each mask."""
        room = self.checkpoint.max_length - len(self._vocabulary.prefix) - len(self._vocabulary.suffix)
        if len(text.ids) <= room:
            return [_Window(index, text.ids, text.positions)]
        self.truncated += 1
        self.windows = True
        starts = [min(max(position - room // 2, 0), len(text.ids) - room) for position in text.positions]
        return [
            _Window(index, text.ids[start : start + room], [position - start])
            for start, position in zip(starts, text.positions, strict=True)
        ]

    def _predict(self, texts: Sequence[_Text], count: int, batch_size: int) -> list[list[Prediction]]:
        """Return the ``count`` likeliest tokens of every mask of every text."""
        windows = [window for index, text in enumerate(texts) for window in self._windows(index, text)]

        def predict(items: NDArray[np.int64]) -> NDArray[np.object_]:
            batch = [windows[index] for index in items]
            outputs = self._head.fill(self._batch(batch), count)
            likeliest = zip(outputs["ids"], np.exp(outputs["log_probabilities"].astype(np.float64)), strict=True)
            results = np.empty(len(batch), np.object_)
            for line, window in enumerate(batch):
                results[line] = [next(likeliest) for _ in window.positions]
            return results

        lengths = np.array([len(window.ids) for window in windows], np.int64)
        predictions: list[list[Prediction]] = [[] for _ in texts]
        for window, results in zip(windows, self._map(lengths, batch_size, predict), strict=True):
            predictions[window.text] += results
        return predictions

    def _batch(self, windows: Sequence[_Window]) -> dict[str, NDArray[np.int64]]:
        contents = [np.array(window.ids, np.int64) for window in windows]
        labels = [np.full(len(window.ids), IGNORED_LABEL, np.int64) for window in windows]
        for window, row in zip(windows, labels, strict=True):
            row[window.positions] = ANY_LABEL
        return self._vocabulary.batch(contents, labels)

    def _candidates(self, text: _Text, predictions: Sequence[Prediction]) -> list[MaskCandidate]:
        return [
            MaskCandidate(
                mask + 1, self._decode([token]).strip(), self._replace(text, {mask: token}), probability, token
            )
            for mask, (ids, probabilities) in enumerate(predictions)
            for token, probability in zip(ids.tolist(), probabilities.tolist(), strict=True)
        ]

    def _replace(self, text: _Text, tokens: dict[int, int]) -> str:
        """Return the text with some of its masks replaced by tokens, joined as the tokenizer joins tokens."""
        parts: list[str] = []
        end_of_last = 0
        for mask, (start, end) in enumerate(text.spans):
            before = text.text[end_of_last:start]
            if mask in tokens:
                # In some tokenizers the spaces before a mask are part of the mask.
                spaces = text.text[start : end - len(self.mask_token)]
                stripped = before.rstrip()
                gap, piece = self._piece(text, mask, tokens[mask], before[len(stripped) :] + spaces)
                parts += [stripped, gap, piece]
            else:
                parts.append(text.text[end_of_last:end])
            end_of_last = end
        return "".join([*parts, text.text[end_of_last:]])

    def _piece(self, text: _Text, mask: int, token: int, gap: str) -> tuple[str, str]:
        """Return what separates a token from the text before it, and the token as it is written there."""
        alone, position = self._decode([token]), text.positions[mask]
        left = text.ids[position - 1] if position and text.ids[position - 1] != self._vocabulary.mask else None
        if left is not None:
            both, first = self._decode([left, token]), self._decode([left])
            if both.startswith(first) and not both[len(first) :].startswith(" "):
                return "", both[len(first) :]
        return gap or (" " if left is not None and alone.startswith(" ") else ""), alone.strip()

    def _decode(self, ids: list[int]) -> str:
        return self._whole.decode(ids, skip_special_tokens=False)
