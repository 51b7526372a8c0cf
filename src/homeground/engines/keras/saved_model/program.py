"""What a SavedModel would run, read from its file before TensorFlow loads it, and all of the file that it gets to see.

TensorFlow runs the functions that the saved objects name, what these call, and, while it imports a library, parts of
any function in it. It also picks functions and classes by attributes and registered names. So the file itself is never
loaded: what was checked is written anew, with the functions that are reached and nothing else, and that is loaded.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from homeground.checkpoint import Checkpoint
from homeground.checkpoint.saved_model import PROGRAM_FILE
from homeground.engines.keras.framework import tf
from homeground.engines.keras.saved_model.operations import ALLOWED, FROM_TENSORFLOW_TEXT, READS_VOCABULARY
from homeground.errors import CheckpointError, UsageError

MAX_NAMES_LISTED = 5

REGISTERED = {"": None, "tf.StaticHashTable": "resource", "tf.TrackableConstant": "constant"}
"""Names of registered classes that objects may have, each with the one kind of object it is for."""

KEPT_ATTRIBUTES = ("_input_shapes", "_construction_context")
"""Attributes of functions that say nothing about which function is run in its place."""


class CheckedProgram:
    """A SavedModel that was found harmless, in a temporary folder that lasts as long as this object.

    Raises:
        CheckpointError: the file cannot be read, was not written by TensorFlow 2, or would run another operation.
        UsageError: it needs tensorflow-text, which is not installed.
    """

    def __init__(self, checkpoint: Checkpoint, source: Path | None = None) -> None:
        source = source or checkpoint.folder
        self._temporary = tempfile.TemporaryDirectory(prefix="homeground-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name) / "model"
        program = _checked(checkpoint, source)
        self.folder.mkdir()
        (self.folder / PROGRAM_FILE).write_bytes(program.cleaned().SerializeToString())
        for name in ("variables", "assets"):
            if (source / name).is_dir():
                shutil.copytree(source / name, self.folder / name, copy_function=_link_or_copy)


def require_harmless(checkpoint: Checkpoint) -> None:
    """Refuse a SavedModel that would run an operation outside the list; nothing of it is loaded.

    Raises:
        CheckpointError, UsageError: as for ``CheckedProgram``.
    """
    _checked(checkpoint, checkpoint.folder)


def _checked(checkpoint: Checkpoint, source: Path) -> Program:
    """Return the program in a folder after all checks; imports tensorflow-text where its operations need that."""
    program = _read(checkpoint, source)
    try:
        forbidden = sorted({node.op for name, node in program.nodes() if not program.allows(name, node)})
    except (IndexError, RecursionError):  # inputs that are not there, functions that call each other in a circle
        raise CheckpointError(f"{source}/{PROGRAM_FILE}: its functions do not fit together") from None
    if forbidden:
        listed = ", ".join(forbidden[:MAX_NAMES_LISTED]) + (", …" if len(forbidden) > MAX_NAMES_LISTED else "")
        raise CheckpointError(
            f'"{checkpoint.name}" would run {listed}, which {"is" if len(forbidden) == 1 else "are"} not among the '
            "operations that a SavedModel may run here (arithmetic, strings and tables in memory); nothing of it was "
            "loaded"
        )
    _refuse_assets_elsewhere(checkpoint, source, program.graph)
    if any(node.op in FROM_TENSORFLOW_TEXT for _, node in program.nodes()):
        _import_tensorflow_text(checkpoint)
    return program


class Program:
    """The functions of a SavedModel that may run: those that the saved objects name, and all that these call."""

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self.graph = proto.meta_graphs[0]
        self._functions = {each.signature.name: each for each in self.graph.graph_def.library.function}
        self._described = self.graph.object_graph_def.concrete_functions
        waiting, reached = sorted(self._named() | self._gradients()), dict[str, None]()
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached[name] = None
                calls = (callee for node in self._functions[name].node_def for callee in _callees(node))
                waiting += [callee for callee in calls if callee in self._functions]
        self._reached = tuple(reached)

    def _named(self) -> set[str]:
        """Return the functions that the saved objects name.

        Raises:
            ValueError: one is not described, or not in the file: TensorFlow makes up what is missing.
        """
        names = set(self._described)
        for node in self.graph.object_graph_def.nodes:
            names |= set(node.function.concrete_functions)
            names |= {node.bare_concrete_function.concrete_function_name, node.captured_tensor.concrete_function} - {""}
            kind = node.WhichOneof("kind")
            if REGISTERED.get(node.registered_name, "none such") not in (None, kind):
                raise ValueError(f'an object is of the registered class "{node.registered_name}"')
        for name in names:
            if name not in self._functions or name not in self._described:
                raise ValueError(f'its objects name the function "{name}", which it does not describe')
        return names

    def _gradients(self) -> set[str]:
        """Return the functions that compute the gradients that the program defines itself.

        Raises:
            ValueError: one is not in the file.
        """
        names = {each.gradient_func for each in self.graph.graph_def.library.registered_gradients}
        if missing := names - set(self._functions):
            raise ValueError(f'a gradient is the function "{min(missing)}", which it does not hold')
        return names

    def cleaned(self) -> Any:
        """Return the protocol buffer of this program alone: the functions reached, the constants of its objects."""
        proto = type(self._proto)()
        proto.CopyFrom(self._proto)
        graph = proto.meta_graphs[0]
        library = graph.graph_def.library
        kept = [each for each in library.function if each.signature.name in self._reached]
        for each in kept:
            for name in [name for name in each.attr if name not in KEPT_ATTRIBUTES]:
                del each.attr[name]
        functions = [each.SerializeToString() for each in kept]
        del library.function[:], library.gradient[:]
        for each in functions:
            library.function.add().ParseFromString(each)
        constants = {node.constant.operation for node in graph.object_graph_def.nodes} - {""}
        nodes = [each for each in graph.graph_def.node if each.op == "Const" and each.name in constants]
        serialized = [each.SerializeToString() for each in nodes]
        del graph.graph_def.node[:]
        for each in serialized:
            graph.graph_def.node.add().ParseFromString(each)
        graph.meta_info_def.ClearField("stripped_op_list")
        graph.ClearField("collection_def")
        graph.ClearField("signature_def")
        graph.ClearField("saver_def")
        for node in graph.object_graph_def.nodes:
            node.ClearField("registered_saver")
        return proto

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
        if source not in arguments:  # an output of an operation is written with a colon
            return False
        place = arguments.index(source)
        for caller, node in self.nodes():
            if function in _callees(node) and not self._is_asset(caller, node.input[place]):
                return False
        if function not in self._described:
            return True
        bound = self._described[function].bound_inputs
        first = len(arguments) - len(bound)
        objects = self.graph.object_graph_def.nodes
        return place >= first and objects[bound[place - first]].WhichOneof("kind") == "asset"


def _read(checkpoint: Checkpoint, source: Path) -> Program:
    """Return the program of a SavedModel."""
    proto = importlib.import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel()
    try:
        proto.ParseFromString((source / PROGRAM_FILE).read_bytes())
    except Exception as error:  # protobuf has an error class for each of its implementations
        raise CheckpointError(f"{source}/{PROGRAM_FILE}: damaged, or no SavedModel") from error
    if len(proto.meta_graphs) != 1 or not proto.meta_graphs[0].HasField("object_graph_def"):
        raise CheckpointError(
            f"{source}: was not written by tf.saved_model.save of TensorFlow 2; open it there and save it anew"
        )
    try:
        return Program(proto)
    except ValueError as error:
        raise CheckpointError(f'"{checkpoint.name}" is no SavedModel that can be run here: {error}') from None


def _callees(node: Any) -> Iterator[str]:
    """Yield the names of the functions that a node calls; of some operations the name itself is a function."""
    yield node.op
    yield from _functions_in(node.attr)


def _functions_in(attributes: Any) -> Iterator[str]:
    """Yield the names of the functions among attributes, and among the attributes of these."""
    for value in attributes.values():
        for each in (*((value.func,) if value.HasField("func") else ()), *value.list.func):
            yield each.name
            yield from _functions_in(each.attr)


def _refuse_assets_elsewhere(checkpoint: Checkpoint, source: Path, graph: Any) -> None:
    """Refuse file names that leave the folder assets/."""
    for asset in graph.asset_file_def:
        path = PurePosixPath(asset.filename)
        if path.is_absolute() or ".." in path.parts or not (source / "assets" / path).is_file():
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


def _link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, or a copy where the temporary folder is on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
