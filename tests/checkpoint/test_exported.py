"""What a graph may hold before a runtime opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homeground.checkpoint.exported import refuse_unsafe_graph
from homeground.errors import CheckpointError

onnx: Any = pytest.importorskip("onnx")
IR = '<net><layers><layer id="0" name="x" type="{type}" version="{version}"></layer></layers></net>'


def graph(nodes: list[Any], initializers: list[Any] | None = None) -> Any:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    return onnx.helper.make_graph(nodes, "graph", [value], [value], initializers or [])


def elsewhere() -> Any:
    tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "weight")
    onnx.external_data_helper.set_external_data(tensor, location="../secret.bin")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    return tensor


def written(path: Path, model: Any) -> Path:
    path.write_bytes(onnx.helper.make_model(model).SerializeToString() if model else b"")
    return path


def node(**attributes: Any) -> Any:
    return onnx.helper.make_node("Identity", ["x"], ["y"], **attributes)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (graph([node()], [elsewhere()]), "has weights in another file"),
        (graph([onnx.helper.make_node("Constant", [], ["x"], value=elsewhere())]), "has weights in another file"),
        (graph([onnx.helper.make_node("If", ["x"], ["y"], then_branch=graph([], [elsewhere()]))]), "in another file"),
        (graph([node(domain="evil.example")]), 'has operators of "evil.example"'),
        (graph([onnx.helper.make_node("If", ["x"], ["y"], then_branch=graph([node(domain="e")]))]), 'of "e"'),
        (graph([node(domain="com.microsoft")]), 'has operators of "com.microsoft"'),
        (None, "is no ONNX model"),
    ],
)
def test_a_graph_that_leads_out_of_its_file_is_refused(model: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=problem):
        refuse_unsafe_graph(written(tmp_path / "model.onnx", model))


def test_functions_are_looked_through_and_a_plain_graph_is_let_through(tmp_path: Path) -> None:
    plain = graph([node()], [onnx.numpy_helper.from_array(np.zeros(4, np.float32), "weight")])
    refuse_unsafe_graph(written(tmp_path / "plain.onnx", plain))
    model = onnx.helper.make_model(plain)
    opset = [onnx.helper.make_opsetid("", 18)]
    model.functions.append(onnx.helper.make_function("own", "f", ["x"], ["y"], [node(domain="evil")], opset))
    (tmp_path / "function.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match='has operators of "evil"'):
        refuse_unsafe_graph(tmp_path / "function.onnx")


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_graph_that_is_cut_short_is_refused(cut: int, tmp_path: Path) -> None:
    path = written(tmp_path / "model.onnx", graph([node()]))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CheckpointError, match="is no ONNX model"):
        refuse_unsafe_graph(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (IR.format(type="Const", version="extension"), 'has operators of "extension"'),
        (IR.format(type="Const", version="opset1x"), 'has operators of "opset1x"'),
        (IR.format(type="Const", version="x").replace('"', "'"), 'has operators of "x"'),
        (IR.format(type="Const", version="opset1").replace(' version="opset1"', ""), 'has operators of ""'),
        ("<net><layers></net>", "is no XML"),
        ("", "is no XML"),
        ('<?xml version="1.0" encoding="iso-8859-1"?><net/>', "is written in iso-8859-1, not in UTF-8"),
        ('<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net>&a;</net>', "declares entities"),
    ],
)
def test_an_intermediate_representation_with_foreign_parts_is_refused(
    content: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "openvino_model.xml").write_text(content)
    with pytest.raises(CheckpointError, match=problem):
        refuse_unsafe_graph(tmp_path / "openvino_model.xml")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_entities_are_not_hidden_by_another_encoding(encoding: str, tmp_path: Path) -> None:
    content = '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net>&a;</net>'
    (tmp_path / "openvino_model.xml").write_bytes(content.encode(encoding))
    with pytest.raises(CheckpointError, match="is not written in UTF-8"):
        refuse_unsafe_graph(tmp_path / "openvino_model.xml")


def test_an_intermediate_representation_of_standard_operators_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "openvino_model.xml").write_text(IR.format(type="Const", version="opset1"))
    refuse_unsafe_graph(tmp_path / "openvino_model.xml")
