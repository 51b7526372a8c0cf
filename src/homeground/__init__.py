"""Homeground adapts a pretrained language model to your domain and proves whether it helped.

import homeground

run = homeground.adapt("pairs.csv", checkpoint="minilm")
print(run.verdict)
model = homeground.load(run)
model.similarity("data scientist", "statistician")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homeground.errors import HomegroundError, HomegroundWarning
    from homeground.inference.classifier import Classifier
    from homeground.inference.encoder import Encoder
    from homeground.inference.files import predict_file
    from homeground.inference.fill_mask import MaskedLM
    from homeground.inference.loading import load
    from homeground.inference.predictor import Predictor
    from homeground.inference.tagger import Tagger
    from homeground.languages import use_language
    from homeground.results.run import Run
    from homeground.workflows.adapt import adapt
    from homeground.workflows.chain import adapt_chain
    from homeground.workflows.checkpoint_comparison import compare_checkpoints
    from homeground.workflows.compare import compare, evaluate
    from homeground.workflows.export import export
    from homeground.workflows.inspect import inspect
    from homeground.workflows.pairs import make_pairs
    from homeground.workflows.publish import publish

    __version__: str

__all__ = [
    "Classifier",
    "Encoder",
    "HomegroundError",
    "HomegroundWarning",
    "MaskedLM",
    "Predictor",
    "Run",
    "Tagger",
    "__version__",
    "adapt",
    "adapt_chain",
    "compare",
    "compare_checkpoints",
    "evaluate",
    "export",
    "inspect",
    "load",
    "make_pairs",
    "predict_file",
    "publish",
    "use_language",
]

_HOMES = {
    "Classifier": "homeground.inference.classifier",
    "Encoder": "homeground.inference.encoder",
    "HomegroundError": "homeground.errors",
    "HomegroundWarning": "homeground.errors",
    "MaskedLM": "homeground.inference.fill_mask",
    "Predictor": "homeground.inference.predictor",
    "Run": "homeground.results.run",
    "Tagger": "homeground.inference.tagger",
    "adapt": "homeground.workflows.adapt",
    "adapt_chain": "homeground.workflows.chain",
    "compare": "homeground.workflows.compare",
    "compare_checkpoints": "homeground.workflows.checkpoint_comparison",
    "evaluate": "homeground.workflows.compare",
    "export": "homeground.workflows.export",
    "inspect": "homeground.workflows.inspect",
    "load": "homeground.inference.loading",
    "make_pairs": "homeground.workflows.pairs",
    "predict_file": "homeground.inference.files",
    "publish": "homeground.workflows.publish",
    "use_language": "homeground.languages",
}


def __getattr__(name: str) -> Any:
    # Public names come on first use: importing the package imports neither torch nor anything else that takes seconds.
    if name == "__version__":
        value = importlib.import_module("importlib.metadata").version("homeground")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'homeground' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
