"""What every model in use offers, whatever it predicts: its limits, its description and a copy of its files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint, count_parameters, load_tokenizer, model_files, padding_id
from homeground.data.tokens.tokenized import map_longest_first
from homeground.engines import engine_for
from homeground.errors import UsageError
from homeground.storage import new_folder

BATCH_SIZE = 64

MAX_LABELS_SHOWN = 5
"""Labels named in the repr of a classifier."""

Scalar = TypeVar("Scalar", bound=np.generic)


class ModelInUse:
    """A model that is loaded for predictions; the prediction for a text does not depend on the other texts of a call.

    Texts longer than the model reads are cut as in training; ``truncated`` is their number over all calls.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: str = "torch") -> None:
        self.checkpoint = checkpoint
        self.truncated = 0
        self._engine = engine_for(checkpoint, engine)
        self._tokenizer: Tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length)
        self._padding = padding_id(checkpoint, self._tokenizer)

    @property
    def max_length(self) -> int:
        """The most tokens of a text that the model reads, special tokens included."""
        return self.checkpoint.max_length

    @cached_property
    def parameters(self) -> int:
        """The number of parameters, those of the heads included."""
        exported = self.checkpoint.exported
        return exported.parameters if exported else count_parameters(self.checkpoint.folder)

    def save(self, folder: str | PathLike[str]) -> Path:
        """Copy the model into a new or empty folder, in the Hugging Face layout, and return that folder.

        transformers and sentence-transformers load it, as ``homeground.load`` does. What the run has learned from stays
        with the run: of a copy, ``evaluate`` and ``adapt`` cannot tell which test texts it has seen.

        Raises:
            UsageError: the folder is not empty, or is a file.
        """
        target = Path(folder)
        if target.is_file() or (target.is_dir() and any(target.iterdir())):
            raise UsageError(f"{target} {'is a file' if target.is_file() else 'is not empty'}; name a new folder")
        with new_folder(target) as temporary:
            for name in (*model_files(self.checkpoint), "README.md"):
                source = self.checkpoint.folder / name
                if source.is_file():
                    (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, temporary / name)
        return target

    def __repr__(self) -> str:
        facts = {**self._facts(), "parameters": f"{self.parameters:,}", "max_length": str(self.max_length)}
        listed = ", ".join(f"{name}={value}" for name, value in facts.items())
        of = self.checkpoint.run if self.checkpoint.exported is None else None
        return f"{type(self).__name__}({str(of or self.checkpoint.name)!r}, {listed})"

    def figures(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return the numbers that the predictions for texts rest on, whose first axis is the texts or their words."""
        raise NotImplementedError

    def _facts(self) -> dict[str, str]:
        """Return what the repr shows of this kind of model, by name."""
        return {}

    def _map(
        self,
        lengths: NDArray[np.int64],
        batch_size: int,
        compute: Callable[[NDArray[np.int64]], NDArray[Scalar]],
        *,
        show_progress_bar: bool | None = False,
    ) -> NDArray[Scalar]:
        """Return the results of ``compute`` for all items in their own order, with a bar on request."""
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; expected 1 or more")
        if not show_progress_bar:
            return map_longest_first(lengths, batch_size, compute)
        from tqdm.auto import tqdm

        with tqdm(total=len(lengths), unit="text", unit_scale=True, dynamic_ncols=True) as bar:

            def counted(items: NDArray[np.int64]) -> NDArray[Scalar]:
                values = compute(items)
                bar.update(len(items))
                return values

            return map_longest_first(lengths, batch_size, counted)


def listed_labels(labels: Sequence[Any]) -> str:
    """Return labels as a list of which only the first are named.

    >>> listed_labels(["a", "b"]), listed_labels("abcdefg")
    ("['a', 'b']", "['a', 'b', 'c', 'd', 'e', … 7 in all]")
    """
    named = ", ".join(repr(label) for label in labels[:MAX_LABELS_SHOWN])
    return f"[{named}{f', … {len(labels)} in all' if len(labels) > MAX_LABELS_SHOWN else ''}]"
