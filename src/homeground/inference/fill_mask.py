"""A model in use: words that are missing in texts, filled in with their probabilities."""

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
from homeground.data.tokenized import require_characters
from homeground.engines import open_engine
from homeground.engines.model import MaskedHead
from homeground.errors import UsageError
from homeground.inference.encoder import BATCH_SIZE, Encoder
from homeground.tasks.mlm.blocks import IGNORED, Vocabulary

ANYWHERE = "[MASK]"
"""What stands for a missing word whatever the model's own mask token is."""

ASKED = 0
"""The label of a place to fill; any would do that is not ignored."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A token that may stand in the place of a mask.

    ``mask`` counts the masks of the text from 1; ``text`` has this one filled, ``probability`` lies in [0, 1].
    """

    mask: int
    token: str
    text: str
    probability: float
    id: int


@dataclass(frozen=True)
class _Text:
    """A tokenized text: its ids without special tokens, and where in them and in the text the masks are."""

    text: str
    ids: list[int]
    places: list[int]
    spans: list[tuple[int, int]]


@dataclass(frozen=True)
class _Window:
    """What is read of a text at once, and which of its places are asked."""

    text: int
    ids: list[int]
    places: list[int]


class MaskedLM(Encoder):
    """A masked language model; the same text gets the same answers whatever it is filled in with.

    Of a text that is longer than the model reads, the tokens around each mask are read, which ``truncated`` counts. It
    is an encoder too: ``encode`` gives the mean of its token vectors.
    """

    windows = False
    """Whether a text was too long, so that only the tokens around its masks were read."""

    @cached_property
    def mask_token(self) -> str:
        """The token that stands for a missing word.

        Raises:
            CheckpointError: the tokenizer has none.
        """
        return self._whole.id_to_token(mask_id(self.checkpoint)) or ANYWHERE

    def has_mask(self, text: str) -> bool:
        """Tell whether a text has a place to fill."""
        return ANYWHERE in text or self.mask_token in text

    @overload
    def fill_mask(self, texts: str, count: int = 5, *, batch_size: int = BATCH_SIZE) -> list[Filled]: ...
    @overload
    def fill_mask(
        self, texts: list[str] | tuple[str, ...], count: int = 5, *, batch_size: int = BATCH_SIZE
    ) -> list[list[Filled]]: ...
    def fill_mask(
        self, texts: str | list[str] | tuple[str, ...], count: int = 5, *, batch_size: int = BATCH_SIZE
    ) -> list[Filled] | list[list[Filled]]:
        """Return the ``count`` likeliest tokens of every mask, the likeliest first, the masks of a text in their order.

        "[MASK]" stands for a missing word with every model, whatever its own mask token is. A list of texts gets a list
        of answers for each. Every mask is asked by itself, while the others stay as they are.

        Raises:
            UsageError: a text holds no mask, or ``count`` is below 1.
        """
        if count < 1:
            raise UsageError(f"count is {count}; expected 1 or more tokens for a mask")
        read = self._read([texts] if isinstance(texts, str) else texts)
        found = self._likeliest(read, count, batch_size)
        filled = [self._filled(text, own) for text, own in zip(read, found, strict=True)]
        return filled[0] if isinstance(texts, str) else filled

    def complete(self, text: str, tokens: Sequence[int]) -> str:
        """Return a text with all its masks filled, each with the id of a token."""
        (read,) = self._read([text])
        return self._written(read, dict(enumerate(tokens)))

    @cached_property
    def _masked_head(self) -> MaskedHead:
        head = open_engine(self._engine).open_model(self.checkpoint, head="masked_lm").head
        assert isinstance(head, MaskedHead)
        return head

    @cached_property
    def _whole(self) -> Tokenizer:
        """The tokenizer without a limit."""
        tokenizer = load_tokenizer(self.checkpoint, max_length=self.checkpoint.max_length)
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self._whole, mask=mask_id(self.checkpoint), padding=self._padding)

    def _read(self, texts: Sequence[str]) -> list[_Text]:
        require_characters(texts)
        own = [text.replace(ANYWHERE, self.mask_token) for text in texts]
        encodings = self._whole.encode_batch(own, add_special_tokens=False)
        return [self._placed(text, encoding) for text, encoding in zip(own, encodings, strict=True)]

    def _placed(self, text: str, encoding: Encoding) -> _Text:
        places = [place for place, number in enumerate(encoding.ids) if number == self._vocabulary.mask]
        if not places:
            token = self.mask_token
            raise UsageError(
                f'{shown(text)} has no mask; write {token} where a word is missing, e.g. "The {token} was benign."'
            )
        return _Text(text, encoding.ids, places, [encoding.offsets[place] for place in places])

    def _windows(self, number: int, text: _Text) -> list[_Window]:
        """Return the text whole or, where it is too long, the tokens around each mask."""
        room = self.checkpoint.max_length - len(self._vocabulary.prefix) - len(self._vocabulary.suffix)
        if len(text.ids) <= room:
            return [_Window(number, text.ids, text.places)]
        self.truncated += 1
        self.windows = True
        starts = [min(max(place - room // 2, 0), len(text.ids) - room) for place in text.places]
        return [
            _Window(number, text.ids[start : start + room], [place - start])
            for start, place in zip(starts, text.places, strict=True)
        ]

    def _likeliest(
        self, texts: Sequence[_Text], count: int, batch_size: int
    ) -> list[list[tuple[NDArray[np.int64], NDArray[np.float64]]]]:
        """Return ids and probabilities ``(count,)`` of every mask of every text."""
        windows = [window for number, text in enumerate(texts) for window in self._windows(number, text)]
        order = sorted(range(len(windows)), key=lambda number: -len(windows[number].ids))
        answers: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            found = self._masked_head.fill(self._batch([windows[number] for number in chosen]), count)
            given = iter(zip(found["ids"], np.exp(found["log_probabilities"].astype(np.float64)), strict=True))
            for number in chosen:
                answers[number] = [next(given) for _ in windows[number].places]
        result: list[list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = [[] for _ in texts]
        for number, window in enumerate(windows):
            result[window.text] += answers[number]
        return result

    def _batch(self, windows: Sequence[_Window]) -> dict[str, NDArray[np.int64]]:
        contents = [np.array(window.ids, np.int64) for window in windows]
        labels = [np.full(len(window.ids), IGNORED, np.int64) for window in windows]
        for window, own in zip(windows, labels, strict=True):
            own[window.places] = ASKED
        return self._vocabulary.batch(contents, labels)

    def _filled(self, text: _Text, found: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]) -> list[Filled]:
        return [
            Filled(place + 1, self._decoded([token]).strip(), self._written(text, {place: token}), probability, token)
            for place, (ids, probabilities) in enumerate(found)
            for token, probability in zip(ids.tolist(), probabilities.tolist(), strict=True)
        ]

    def _written(self, text: _Text, tokens: dict[int, int]) -> str:
        """Return the text with a token in the place of some of its masks, joined as the tokenizer joins tokens."""
        parts: list[str] = []
        done = 0
        for place, (start, end) in enumerate(text.spans):
            before = text.text[done:start]
            if place in tokens:
                # Some tokenizers count the spaces before a mask to the mask.
                spaces = text.text[start : end - len(self.mask_token)]
                bare = before.rstrip()
                gap, piece = self._piece(text, place, tokens[place], before[len(bare) :] + spaces)
                parts += [bare, gap, piece]
            else:
                parts.append(text.text[done:end])
            done = end
        return "".join([*parts, text.text[done:]])

    def _piece(self, text: _Text, place: int, token: int, gap: str) -> tuple[str, str]:
        """Return what stands between a token and the text before it, and the token as it is written there."""
        alone, at = self._decoded([token]), text.places[place]
        left = text.ids[at - 1] if at and text.ids[at - 1] != self._vocabulary.mask else None
        if left is not None:
            joined, whole = self._decoded([left, token]), self._decoded([left])
            if joined.startswith(whole) and not joined[len(whole) :].startswith(" "):
                return "", joined[len(whole) :]
        return gap or (" " if left is not None and alone.startswith(" ") else ""), alone.strip()

    def _decoded(self, ids: list[int]) -> str:
        return self._whole.decode(ids, skip_special_tokens=False)
