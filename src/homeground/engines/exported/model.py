"""An exported model behind the protocol of a model: it predicts, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from homeground.checkpoint import Checkpoint, classes_of, tags_of
from homeground.checkpoint.exported import ANEW
from homeground.data.tokens.tokenized import IGNORED_LABEL
from homeground.engines.exported.pooling import embed, pool
from homeground.engines.exported.sessions import Session, open_session, reason_of, threads_or_cores
from homeground.engines.model import Batch, Head, HeadVariant, Outputs, StepResult, Trainable
from homeground.engines.sentence_modules import EmbeddingSteps, read_steps
from homeground.engines.slicing import by_masked_tokens, slices
from homeground.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from homeground.recipe.sections import EncoderSettings, TrainingSettings

HEADS_OF_EXPORTS = ("encoder", "sequence_classification", "token_classification", "masked_lm")
"""The heads that a graph may compute; every graph computes the encoder."""

TRIED_TOKENS = 2
"""Tokens of the text that a graph computes once when it is opened."""


def open_model(
    checkpoint: Checkpoint,
    *,
    head: str,
    loss: str | None = None,
    encoder: EncoderSettings | None = None,
    training: TrainingSettings | None = None,
    seed: int = 0,
    labels: Sequence[str] = (),
    trainable: Trainable = "all",
    threads: int | None = None,
) -> ExportedModel:
    """Open an exported model; every export is an encoder, besides the head that it was exported with.

    Raises:
        CheckpointError: it is no export, or one with another head; or its runtime cannot open it.
        UsageError: it is to be trained, or its runtime is not installed.
    """
    exported = checkpoint.exported
    if exported is None:
        raise CheckpointError(f'"{checkpoint.name}" is no exported model; write one with: homeground export RUN')
    if exported.head not in HEADS_OF_EXPORTS:
        raise CheckpointError(
            f'{checkpoint.folder}: export.json has the head "{exported.head}"; known: {", ".join(HEADS_OF_EXPORTS)}; '
            f"{ANEW}"
        )
    if training is not None or trainable == "head":
        _refuse(checkpoint, "is not trained any further")
    if head not in (exported.head, "encoder"):
        _refuse(checkpoint, f"has a head for {exported.head}, not for {head}")
    place = checkpoint.folder / exported.graph
    session = open_session(exported.format, place, precision=exported.precision, threads=threads)
    _require_graph_of(checkpoint, session)
    steps = read_steps(checkpoint, encoder.pooling if encoder else "auto")
    return ExportedModel(checkpoint, session, head, steps)


def _require_graph_of(checkpoint: Checkpoint, session: Session) -> None:
    """Let a graph compute one text, and refuse it where its inputs or outputs are not those of the checkpoint.

    Raises:
        CheckpointError: it is the graph of another model, or the settings are.
    """
    exported = checkpoint.exported
    assert exported is not None
    place = checkpoint.folder / exported.graph
    if sorted(session.inputs) != sorted(exported.inputs):
        inputs = ", ".join(session.inputs)
        raise CheckpointError(f"{place}: has the inputs {inputs}, not {', '.join(exported.inputs)}; {ANEW}")
    feeds = {name: np.zeros((1, TRIED_TOKENS), np.int64) for name in exported.inputs}
    feeds |= {name: np.ones_like(feeds[name]) for name in ("attention_mask",) if name in feeds}
    feeds |= {name: np.zeros(1, np.int64) for name in ("positions",) if name in feeds}
    try:
        outputs = session.compute(feeds)
    except Exception as error:  # each runtime raises errors of its own
        raise CheckpointError(f"{place}: cannot compute a text ({reason_of(error)}); {ANEW}") from error
    for name, shape in _shapes_of_outputs(checkpoint).items():
        if name not in outputs:
            raise CheckpointError(f"{place}: has no output {name}, which the head {exported.head} needs; {ANEW}")
        if outputs[name].shape[: len(shape)] != shape:
            raise CheckpointError(
                f"{place}: {name} of a text of {TRIED_TOKENS} tokens has the shape {outputs[name].shape}, where "
                f"config.json needs {shape}; they do not belong together: {ANEW}"
            )


def _shapes_of_outputs(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Return how the shapes of the outputs for one text begin, by the head and the settings."""
    exported = checkpoint.exported
    assert exported is not None
    vocabulary = checkpoint.config.get("vocab_size")
    heads: dict[str, dict[str, tuple[int, ...]]] = {
        "encoder": {},
        "sequence_classification": {"logits": (1, len(classes_of(checkpoint)))},
        "token_classification": {"logits": (1, TRIED_TOKENS, len(tags_of(checkpoint)))},
        "masked_lm": {"logits": (1, vocabulary if isinstance(vocabulary, int) else 0)},
    }
    return {"last_hidden_state": (1, TRIED_TOKENS), **heads[exported.head]}


class ExportedModel:
    """A graph and what is computed around it, with NumPy: which tokens decide, pooling, log probabilities."""

    def __init__(self, checkpoint: Checkpoint, session: Session, head: str, steps: EmbeddingSteps) -> None:
        exported = checkpoint.exported
        assert exported is not None
        self._checkpoint, self._exported, self._session = checkpoint, exported, session
        self._steps = steps
        self._outputs: Callable[[Batch], dict[str, NDArray[Any]]] = {
            "encoder": self._embeddings,
            "sequence_classification": self._logits,
            "token_classification": self._deciding_logits,
            "masked_lm": self._judged,
        }[head]
        self.head: Head = ExportedHead(self)

    def predict(self, batch: Batch) -> Outputs:
        """Return the outputs for a batch, as every engine names them."""
        return self.in_parts(self._outputs, batch)

    def in_parts(self, compute: Callable[[Batch], Outputs], batch: Batch) -> Outputs:
        """Return what is computed of a batch, at once or, where a text would depend on the others, text by text."""
        if not self._exported.one_by_one:
            return compute(batch)
        assert batch["input_ids"].ndim == 2 or batch["input_ids"].shape[1] == 1
        parts = [compute(part) for part in slices(batch, 1)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def features(self, batch: Batch) -> Outputs:
        """Return ``mean``, the mean of the tokens' last hidden states, ``(items, dimensions)``."""
        return self.in_parts(
            lambda part: {"mean": pool(self._run(part)["last_hidden_state"], part["attention_mask"], "mean")}, batch
        )

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return the likeliest tokens of every masked position; see the protocol of the head."""
        return self.in_parts(lambda part: self._likeliest(part, count), batch)

    def as_encoder(self) -> ExportedModel:
        """Return the encoder inside."""
        return ExportedModel(self._checkpoint, self._session, "encoder", self._steps)

    def train_step(
        self, batch: Batch, denominator: float, learning_rate: float, step: int, *, microbatch: int | None = None
    ) -> StepResult:
        """Refuse: an export is not trained."""
        self.refuse("is not trained any further")

    def loss(self, batch: Batch, denominator: float, *, microbatch: int | None = None) -> float:
        """Refuse: an export has no loss."""
        self.refuse("has no loss")

    def save(self, folder: Path, *, with_optimizer: bool = False) -> None:
        """Refuse: an export has no weights to write; its folder is copied."""
        self.refuse("has no weights of its own")

    def restore(self, folder: Path) -> None:
        """Refuse: an export has no weights to load."""
        self.refuse("has no weights of its own")

    def refuse(self, what: str) -> NoReturn:
        """Raise UsageError: an export predicts only."""
        _refuse(self._checkpoint, what)

    def describe(self) -> dict[str, str]:
        """Return device, precision and threads."""
        threads = str(threads_or_cores(self._session.threads))
        return {"device": "cpu", "precision": self._session.precision, "threads": threads}

    def _run(self, batch: Batch) -> Mapping[str, NDArray[Any]]:
        """Return the outputs of the graph for ``input_ids (items, length)`` and what comes with them."""
        feeds: dict[str, NDArray[Any]] = {}
        for name in self._exported.inputs:
            values = batch.get(name)
            # Of single texts, all tokens are of the first; positions none where only the hidden states are wanted.
            if values is None:
                shape = (0,) if name == "positions" else batch["input_ids"].shape
                values = np.zeros(shape, np.int64)
            feeds[name] = np.ascontiguousarray(values, np.int64)
        return self._session.compute(feeds)

    def _embeddings(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return embeddings ``(items, texts, dimensions)`` of token ids ``(items, texts, length)``."""
        items, texts, length = batch["input_ids"].shape
        flat = {name: batch[name].reshape(items * texts, length) for name in ("input_ids", "attention_mask")}
        embeddings = embed(self._run(flat)["last_hidden_state"], flat["attention_mask"], self._steps)
        return {"embeddings": embeddings.reshape(items, texts, -1)}

    def _logits(self, batch: Batch) -> dict[str, NDArray[Any]]:
        return {"logits": self._run(batch)["logits"]}

    def _deciding_logits(self, batch: Batch) -> dict[str, NDArray[Any]]:
        return {"logits": self._run(batch)["logits"][batch["deciding_tokens"] > 0]}

    def _judged(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return the log probability of every label that is not ignored, and whether it was the first choice."""
        parts: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for part, logits in self._masked_logits(batch):
            expected = part["labels"][part["labels"] != IGNORED_LABEL]
            rows = np.arange(len(expected))
            parts.append((log_softmax(logits, axis=-1)[rows, expected], logits.argmax(axis=-1) == expected))
        log_probabilities, first = zip(*parts, strict=True)
        return {"log_probabilities": np.concatenate(log_probabilities), "first": np.concatenate(first)}

    def _likeliest(self, batch: Batch, count: int) -> dict[str, NDArray[Any]]:
        ids: list[NDArray[Any]] = []
        values: list[NDArray[Any]] = []
        for _, logits in self._masked_logits(batch):
            log_probabilities = log_softmax(logits, axis=-1)
            best = np.argsort(-log_probabilities, axis=-1, kind="stable")[:, :count]
            ids.append(best)
            values.append(np.take_along_axis(log_probabilities, best, axis=-1))
        return {"ids": np.concatenate(ids), "log_probabilities": np.concatenate(values)}

    def _masked_logits(self, batch: Batch) -> Iterator[tuple[Batch, NDArray[Any]]]:
        """Yield parts of a batch with the logits ``(masked, vocabulary)`` of their masked positions."""
        vocabulary = int(self._checkpoint.config["vocab_size"])
        for part in by_masked_tokens(batch, vocabulary):
            positions = np.flatnonzero(part["labels"] != IGNORED_LABEL)
            yield part, self._run({**part, "positions": positions})["logits"]


class ExportedHead:
    """What the head of an exported model offers: that of a classifier and of a masked language model, to predict."""

    is_new = False

    def __init__(self, model: ExportedModel) -> None:
        self._model = model

    def as_encoder(self) -> ExportedModel:
        """Return a sentence encoder, to be measured only."""
        return self._model.as_encoder()

    def features(self, batch: Batch) -> Outputs:
        """Return ``mean``, the mean of the tokens' last hidden states; what enters the head is inside the graph."""
        return self._model.features(batch)

    def fill(self, batch: Batch, count: int) -> Outputs:
        """Return the likeliest tokens of every masked position; see the protocol."""
        return self._model.fill(batch, count)

    def variants(self, vectors: NDArray[np.float32]) -> list[HeadVariant]:
        """Refuse: the head of an export is not fitted."""
        self._model.refuse("has no head to be fitted")

    def variant_features(self, vectors: NDArray[np.float32], variant: HeadVariant) -> NDArray[np.float32]:
        """Refuse: the head of an export is not fitted."""
        self._model.refuse("has no head to be fitted")

    def set(self, variant: HeadVariant, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Refuse: the head of an export is not fitted."""
        self._model.refuse("has no head to be fitted")

    def scale_logits(self, factor: float) -> bool:
        """Return False: the logits of an export stay as they are."""
        return False


def _refuse(checkpoint: Checkpoint, what: str) -> NoReturn:
    raise UsageError(f'"{checkpoint.name}" is an exported model, which {what}; name the run that it was made from')
