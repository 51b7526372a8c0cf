"""Weights that transformers 4 wrote with TensorFlow, ``tf_model.h5``, as named tensors of the Hub.

transformers 5 reads them no more. The file holds arrays only; their names follow from those of the Hub:

    distilbert/tf_distil_bert_for_sequence_classification/distilbert/transformer/layer_._0/attention/q_lin/kernel:0
    distilbert.transformer.layer.0.attention.q_lin.weight, transposed

It is run as a process of its own by ``homeground convert``, like the reading of a pickle, and imports nothing of ours.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAST_NAMES = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias"}
"""The last part of a name in Keras, where the Hub has another."""

LEADING_PARTS = 2
"""The parts of a name before that of the Hub: the layer that the file is grouped by, and the model."""


def hub_name(path: str) -> str:
    """Return the name on the Hub of an array in the file.

    >>> hub_name("bert/tf_bert_model/bert/encoder/layer_._11/output/LayerNorm/gamma:0")
    'bert.encoder.layer.11.output.LayerNorm.weight'
    >>> hub_name("mlm___cls/tf_bert_for_masked_lm/mlm___cls/predictions/bias:0")
    'cls.predictions.bias'
    """
    parts = path.removesuffix(":0").replace("_._", "/").split("/")[LEADING_PARTS:]
    parts = [re.sub(r"^.*___", "", part) for part in parts]
    return ".".join([*parts[:-1], LAST_NAMES.get(parts[-1], parts[-1])])


def read_h5(source: Path) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a file by their names on the Hub; linear maps are turned to ``(out, in)``."""
    import h5py
    import numpy as np

    tensors: dict[str, NDArray[np.float32]] = {}

    def read(path: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset) and path.count("/") >= LEADING_PARTS and entry.dtype.kind == "f":
            values = np.asarray(entry, np.float32)
            kernel = path.removesuffix(":0").endswith("/kernel")
            tensors[hub_name(path)] = np.ascontiguousarray(values.T if kernel else values)

    with h5py.File(source, "r") as file:
        file.visititems(read)
    return tensors


def _main(target: Path, source: Path) -> None:
    """Write the tensors of a file as safetensors: what runs in the child; its last line is the error message."""
    from safetensors.numpy import save_file

    try:
        tensors = read_h5(source)
    except ImportError:
        sys.exit("it is read with h5py, which is not installed; install it: pip install h5py")
    except Exception as error:
        sys.exit(f"h5py could not read it ({type(error).__name__}: {error})")
    if not tensors:
        sys.exit("it holds no weights as transformers 4 wrote them; expected names like bert/tf_bert_model/bert/…")
    save_file(tensors, str(target), metadata={"format": "pt"})


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
