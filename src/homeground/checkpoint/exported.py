"""Exported models: what marks one, what it was made from, and what its files may contain.

An export is a folder that ``homeground export`` wrote: a graph for OpenVINO or ONNX Runtime, the tokenizer and the
settings of the model, export.json and a manifest with the hash of every file. Nothing of a graph is loaded before its
bytes have been looked through: one that names code, another file or a foreign operator is refused.
"""

from __future__ import annotations

import codecs
import re
import xml.parsers.expat as expat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeground.checkpoint.safety import read_settings, refuse_links, refuse_unsafe_settings
from homeground.errors import CheckpointError, DamagedFile
from homeground.storage import MANIFEST, manifest_problem, read_sealed

EXPORT_FILE = "export.json"
EXPORTS = "exports"
"""The folder of a run that holds its exports, each in a folder of its name, such as ``openvino-int8``."""

GRAPH_FILES = {"openvino": ("openvino_model.xml", "openvino_model.bin"), "onnx": ("model.onnx",)}
"""The files of a graph, by its format."""

EXPORT_NAMES = ("openvino", "onnx", "openvino-bf16", "openvino-int8", "onnx-int8")
"""The exports of a run by name, a format and a precision; those whose answers are those of the model come first."""

ANEW = "export the run again"
OPERATOR_SET = re.compile(r"opset\d+")
"""The versions of OpenVINO's own operators, as its graphs name them."""

ENCODINGS = ("utf-8", "us-ascii")
"""The encodings that a graph in XML may declare; two parsers read others in two ways."""

NEEDED = ("config.json", "tokenizer.json", EXPORT_FILE)
"""The files of every export, besides its graph."""
STANDARD_DOMAINS = frozenset((b"", b"ai.onnx"))

MODEL_GRAPH, MODEL_FUNCTIONS = 7, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_ATTRIBUTE, NODE_DOMAIN = 5, 7
FUNCTION_NODE = 7
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
SPARSE_TENSORS = (1, 2)
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14
"""The numbers of the fields of onnx.proto that may lead out of a file."""

MAX_GRAPH_DEPTH = 20
"""Graphs inside the nodes of graphs that are looked through; an encoder has none."""


@dataclass(frozen=True)
class Exported:
    """What export.json says of an exported model.

    ``head`` is the head that the graph computes; ``one_by_one`` says that it must get one text a call, because its
    answers would depend on the other texts of a batch.
    """

    format: str
    name: str
    head: str
    inputs: tuple[str, ...]
    one_by_one: bool
    parameters: int
    source_weights: Mapping[str, str]

    @property
    def precision(self) -> str:
        """The arithmetic that predicts: ``fp32``, ``bf16`` or ``int8``."""
        return self.name.partition("-")[2] or "fp32"

    @property
    def graph(self) -> str:
        """The file that a runtime opens."""
        return GRAPH_FILES[self.format][0]


def holds_export(folder: Path) -> bool:
    """Tell whether a folder is an exported model, by its files."""
    return (folder / EXPORT_FILE).is_file() and not (folder / "model.safetensors").is_file()


def exports_of(run: Path) -> list[str]:
    """Return the names of the exports of a run, those that answer as the model does first."""
    return [name for name in EXPORT_NAMES if holds_export(run / EXPORTS / name)]


def require_export(folder: Path) -> tuple[Exported, dict[str, str]]:
    """Return what an export is, and the hash of each of its files, once all of them have been found harmless.

    Raises:
        CheckpointError: a file is not as it was written, or could lead a runtime to anything outside of it.
    """
    refuse_links(folder)
    refuse_unsafe_settings(folder)
    try:
        record = read_sealed(folder / EXPORT_FILE, unsealed_version=-1, remedy=ANEW)
    except DamagedFile as error:
        raise CheckpointError(f"{error}") from None
    if problem := manifest_problem(folder):
        raise CheckpointError(f"{folder}: the export {problem}; {ANEW}")
    exported, described = _read(folder, record)
    listed = _listed(folder, (*NEEDED, *GRAPH_FILES[exported.format]))
    for name in GRAPH_FILES[exported.format]:
        if name not in described or listed[name] != described[name]:
            raise CheckpointError(f"{folder / name} is not the file that {EXPORT_FILE} describes; {ANEW}")
    refuse_unsafe_graph(folder / exported.graph)
    return exported, listed


def _listed(folder: Path, needed: tuple[str, ...]) -> dict[str, str]:
    """Return the hash of every file by the manifest, once it lists those of the folder and no others.

    Hidden files, which nothing of an export is, may be there besides.
    """
    listed = {name: str(each["sha256"]) for name, each in read_settings(folder / MANIFEST)["files"].items()}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name in needed:
        if name not in listed:
            raise CheckpointError(f"{folder}: the export lacks {name}, or its {MANIFEST} does not list it; {ANEW}")
    for name in sorted(listed.keys() - there):
        raise CheckpointError(f"{folder}: {MANIFEST} lists {name}, which is no file of this folder; {ANEW}")
    for name in sorted(there - listed.keys() - {MANIFEST}):
        if not any(part.startswith(".") for part in name.split("/")):
            raise CheckpointError(f"{folder / name} is no file of this export; take it out of the folder, or {ANEW}")
    return listed


def _read(folder: Path, record: Mapping[str, Any]) -> tuple[Exported, dict[str, str]]:
    """Return what export.json says of an export, and the hash of each of its files."""
    try:
        if not isinstance(record["one_by_one"], bool):
            raise TypeError
        described = {str(name): str(each["sha256"]) for name, each in record["files"].items()}
        exported = Exported(
            format=str(record["format"]),
            name=str(record["name"]),
            head=str(record["head"]),
            inputs=tuple(map(str, record["inputs"])),
            one_by_one=record["one_by_one"],
            parameters=int(record["parameters"]),
            source_weights=dict(record["source"]["weights"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        raise CheckpointError(f"{folder / EXPORT_FILE}: not the record of an export; {ANEW}") from None
    if exported.format not in GRAPH_FILES:
        raise CheckpointError(
            f'{folder / EXPORT_FILE}: the format is "{exported.format}"; known: {", ".join(GRAPH_FILES)}'
        )
    return exported, described


def refuse_unsafe_graph(path: Path) -> None:
    """Refuse a graph that a runtime would open another file or a library for.

    Raises:
        CheckpointError: it names data outside of itself, or operators that are not those of its format.
    """
    content = path.read_bytes()
    problem = _problem_of_ir(content) if path.suffix == ".xml" else _problem_of_onnx(content)
    if problem:
        raise CheckpointError(f"{path}: {problem}; Homeground runs the graphs only that it wrote: {ANEW}")


def _problem_of_ir(content: bytes) -> str:
    # Other encodings than UTF-8 would hide from these what a runtime reads.
    if b"\0" in content or content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "is not written in UTF-8"
    if b"<!" in content:
        return "declares entities or types of XML"
    problems: list[str] = []

    def look_at_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or ENCODINGS[0]).lower() not in ENCODINGS:
            problems.append(f"is written in {encoding}, not in UTF-8")

    def look_at_element(name: str, attributes: Mapping[str, str]) -> None:
        version = attributes.get("version", "")
        if name == "layer" and not OPERATOR_SET.fullmatch(version):
            problems.append(f'has operators of "{version}", which are none of OpenVINO')

    parser = expat.ParserCreate()
    parser.XmlDeclHandler, parser.StartElementHandler = look_at_declaration, look_at_element
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError):
        return problems[0] if problems else "is no XML"
    return problems[0] if problems else ""


def _problem_of_onnx(content: bytes) -> str:
    try:
        return next(_problems_of_model(memoryview(content)), "")
    except (ValueError, IndexError, RecursionError):
        return "is no ONNX model"


def _problems_of_model(model: memoryview) -> Iterator[str]:
    graphs = 0
    for number, value in _fields(model):
        if number == MODEL_GRAPH:
            graphs += 1
            yield from _problems_of_graph(_message(value), 0)
        elif number == MODEL_FUNCTIONS:
            for inner, node in _fields(_message(value)):
                if inner == FUNCTION_NODE:
                    yield from _problems_of_node(_message(node), 0)
    if graphs != 1:
        yield "is no ONNX model"


def _problems_of_graph(graph: memoryview, depth: int) -> Iterator[str]:
    if depth > MAX_GRAPH_DEPTH:
        yield "nests graphs too deeply"
        return
    for number, value in _fields(graph):
        if number == GRAPH_NODE:
            yield from _problems_of_node(_message(value), depth)
        elif number == GRAPH_INITIALIZER:
            yield from _problems_of_tensor(_message(value))
        elif number == GRAPH_SPARSE:
            yield from _problems_of_sparse(_message(value))


def _problems_of_node(node: memoryview, depth: int) -> Iterator[str]:
    for number, value in _fields(node):
        if number == NODE_DOMAIN and bytes(_message(value)) not in STANDARD_DOMAINS:
            yield f'has operators of "{bytes(_message(value)).decode(errors="replace")}", which are none of ONNX'
        if number != NODE_ATTRIBUTE:
            continue
        for inner, part in _fields(_message(value)):
            if inner in ATTRIBUTE_TENSORS:
                yield from _problems_of_tensor(_message(part))
            elif inner in ATTRIBUTE_SPARSE:
                yield from _problems_of_sparse(_message(part))
            elif inner in ATTRIBUTE_GRAPHS:
                yield from _problems_of_graph(_message(part), depth + 1)


def _problems_of_sparse(sparse: memoryview) -> Iterator[str]:
    for number, value in _fields(sparse):
        if number in SPARSE_TENSORS:
            yield from _problems_of_tensor(_message(value))


def _problems_of_tensor(tensor: memoryview) -> Iterator[str]:
    for number, value in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value != 0):
            yield "has weights in another file"


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ValueError
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield number and value of every field of a message of protocol buffers, a number or its bytes.

    >>> [(number, bytes(value)) for number, value in _fields(memoryview(bytes([10, 2, 104, 105])))]
    [(1, b'hi')]
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            size, place = _varint(message, place)
        elif not size:
            raise ValueError
        if place + size > len(message):
            raise ValueError
        yield tag >> 3, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError
