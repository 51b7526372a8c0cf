"""What a SavedModel would run, read from its file before TensorFlow loads it.

TensorFlow runs the functions that the saved objects have (and what these call), the initializers of tables among them.
The functions with which TensorFlow itself saves and restores variables are in the same file; nothing here calls them,
so the operations on files in them do not count.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from homeground.checkpoint import Checkpoint
from homeground.checkpoint.saved_model import PROGRAM_FILE
from homeground.engines.keras.framework import tf
from homeground.engines.keras.saved_model.operations import ALLOWED, FROM_TENSORFLOW_TEXT, READS_VOCABULARY
from homeground.errors import CheckpointError, UsageError

MAX_NAMES_LISTED = 5


def require_harmless(checkpoint: Checkpoint) -> None:
    """Refuse a SavedModel that would run an operation outside the list; nothing of it is loaded.

    Imports tensorflow-text where its operations need that.

    Raises:
        CheckpointError: the file cannot be read, was written by TensorFlow 1, or would run another operation.
        UsageError: it needs tensorflow-text, which is not installed.
    """
    program = _read(checkpoint)
    forbidden = sorted({node.op for name, node in program.nodes() if not program.allows(name, node)})
    if forbidden:
        listed = ", ".join(forbidden[:MAX_NAMES_LISTED]) + (", …" if len(forbidden) > MAX_NAMES_LISTED else "")
        raise CheckpointError(
            f'"{checkpoint.name}" would run {listed}, which {"is" if len(forbidden) == 1 else "are"} not among the '
            "operations that a SavedModel may run here (arithmetic, strings and tables in memory); nothing of it was "
            "loaded"
        )
    _refuse_assets_elsewhere(checkpoint, program.graph)
    if any(node.op in FROM_TENSORFLOW_TEXT for _, node in program.nodes()):
        _import_tensorflow_text(checkpoint)


class Program:
    """The functions of a SavedModel that may run: those of the saved objects, and all that these call."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self._functions = {each.signature.name: each for each in graph.graph_def.library.function}
        self._roots = graph.object_graph_def.concrete_functions
        waiting, reached = [name for name in self._roots if name in self._functions], dict[str, None]()
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached[name] = None
                calls = (callee for node in self._functions[name].node_def for callee in _callees(node))
                waiting += [callee for callee in calls if callee in self._functions]
        self._reached = tuple(reached)

    def nodes(self) -> Iterator[tuple[str, Any]]:
        """Yield every operation that may run, with the name of the function that it is in."""
        for name in self._reached:
            for node in self._functions[name].node_def:
                yield name, node

    def allows(self, function: str, node: Any) -> bool:
        """Tell whether an operation may run: one of the list, a function of this file, a look into an own asset."""
        if node.op in READS_VOCABULARY:
            return len(node.input) > 1 and self._is_asset(function, node.input[1])
        return node.op in ALLOWED or node.op in self._functions

    def _is_asset(self, function: str, source: str) -> bool:
        """Tell whether an input of an operation is an asset of the SavedModel, whoever passes it on.

        So it is where it is an argument of its function, every function that calls this one passes such an input, and
        the saved objects bind an asset to it. A name that the graph itself computes is not.
        """
        arguments = [argument.name for argument in self._functions[function].signature.input_arg]
        name = source.split(":")[0]
        if name not in arguments:
            return False
        place = arguments.index(name)
        for caller, node in self.nodes():
            if function in _callees(node) and not self._is_asset(caller, node.input[place]):
                return False
        if function not in self._roots:
            return True
        bound = self._roots[function].bound_inputs
        first = len(arguments) - len(bound)
        return place >= first and self.graph.object_graph_def.nodes[bound[place - first]].HasField("asset")


def _read(checkpoint: Checkpoint) -> Program:
    """Return the program of a SavedModel."""
    proto = importlib.import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel()
    try:
        proto.ParseFromString((checkpoint.folder / PROGRAM_FILE).read_bytes())
    except Exception as error:  # protobuf has an error class for each of its implementations
        raise CheckpointError(f"{checkpoint.folder}/{PROGRAM_FILE}: damaged, or no SavedModel") from error
    graphs = list(proto.meta_graphs)
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        raise CheckpointError(
            f"{checkpoint.folder}: was not written by tf.saved_model.save of TensorFlow 2; open it there and save "
            "it anew"
        )
    return Program(graphs[0])


def _callees(node: Any) -> Iterator[str]:
    """Yield the names of the functions that a node calls; of some operations the name itself is a function."""
    yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for each in value.list.func:
            yield each.name


def _refuse_assets_elsewhere(checkpoint: Checkpoint, graph: Any) -> None:
    """Refuse file names that leave the folder assets/."""
    for asset in graph.asset_file_def:
        path = PurePosixPath(asset.filename)
        if path.is_absolute() or ".." in path.parts or not (Path(checkpoint.folder) / "assets" / path).is_file():
            raise CheckpointError(
                f'"{checkpoint.name}" names the asset "{asset.filename}", which is no file in its folder assets/'
            )


def _import_tensorflow_text(checkpoint: Checkpoint) -> None:
    """Import the library that knows SentencePiece and its like."""
    try:
        importlib.import_module("tensorflow_text")
    except ImportError:
        raise UsageError(
            f'"{checkpoint.name}" tokenizes with tensorflow-text, which is not installed; it needs the whole '
            "tensorflow: pip uninstall -y tensorflow-cpu, then pip install 'homeground[use]'"
        ) from None
    except Exception as error:  # another minor version than that of TensorFlow cannot be loaded
        raise UsageError(
            f"tensorflow-text does not fit tensorflow {tf.__version__} ({error}); install both anew: "
            "pip install --upgrade 'homeground[use]'"
        ) from error
