"""What is refused before anything of a checkpoint is loaded or run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.checkpoint.conftest import AUTO_MAP, change, module

from homeground.checkpoint import open_checkpoint
from homeground.errors import CheckpointError


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch '{self.canary}'",))


def pickled(place: Path, canary: Path, name: str) -> None:
    (place / "model.safetensors").unlink()
    (place / name).write_bytes(pickle.dumps(Bomb(canary)))


def code(place: Path, canary: Path) -> None:
    (place / "evil.py").write_text(f"open({str(canary)!r}, 'w')\nclass Evil: ...\n")


def header(place: Path, content: dict[str, object] | bytes, *, length: int | None = None, body: bytes = b"") -> None:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    size = struct.pack("<Q", len(raw) if length is None else length)
    (place / "model.safetensors").write_bytes(size + raw + body)


def tensor(start: int, end: int, *shape: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


def linked(place: Path, name: str) -> None:
    outside = place.parent / "outside"
    (place / name).rename(outside)
    (place / name).symlink_to(outside)


def sharded(place: Path, shard: str) -> None:
    shutil.copy(place / "model.safetensors", place.parent / "outside.safetensors")
    (place / "model.safetensors").unlink()
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))


HARMFUL: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "auto_map in config.json": (lambda f, c: (code(f, c), change(f / "config.json", auto_map=AUTO_MAP)), "auto_map"),
    "auto_map in tokenizer_config.json": (
        lambda f, c: (code(f, c), change(f / "tokenizer_config.json", auto_map=AUTO_MAP)),
        "auto_map",
    ),
    "auto_map deep inside": (
        lambda f, c: (code(f, c), change(f / "config.json", text_config=[{"auto_map": AUTO_MAP}])),
        "auto_map",
    ),
    "auto_map of a module": (lambda f, c: change(f / "1_Pooling/config.json", auto_map=AUTO_MAP), "auto_map"),
    "custom pipeline": (lambda f, c: change(f / "config.json", custom_pipelines={"x": {"impl": "evil.E"}}), "custom_p"),
    "trust_remote_code": (
        lambda f, c: change(f / "sentence_bert_config.json", config_args={"trust_remote_code": True}),
        "trust_remote_code",
    ),
    "foreign module": (lambda f, c: (code(f, c), module(f, type="evil.Evil")), "evil.Evil"),
    "module of the standard library": (lambda f, c: module(f, type="os.system"), "os.system"),
    "another class of sentence-transformers": (
        lambda f, c: module(f, type="sentence_transformers.util.import_from_string"),
        "import_from_string",
    ),
    "module path upwards": (lambda f, c: module(f, path="../outside"), "leaves"),
    "absolute module path": (lambda f, c: module(f, path="/etc"), "leaves"),
    "module path in the Windows way": (lambda f, c: module(f, path="1_Pooling\\..\\..\\x"), "leaves"),
    "module path that is none": (lambda f, c: module(f, path=None), "leaves"),
    "Transformer elsewhere": (lambda f, c: module(f, 0, path="2_Dense"), "in the folder itself"),
    "modules in an order we do not compute": (
        lambda f, c: module(f, 1, type="sentence_transformers.models.Normalize"),
        "lists Transformer, Normalize",
    ),
    "activation that is a command": (
        lambda f, c: change(f / "2_Dense/config.json", activation_function="os.system"),
        "os",
    ),
    "attention kernel, internal": (
        lambda f, c: change(f / "config.json", _attn_implementation_internal="evil/kernel"),
        "_attn_implementation_internal",
    ),
    "attention kernel": (lambda f, c: change(f / "config.json", attn_implementation="evil/kernel"), "kernel"),
    "attention kernel of a part": (
        lambda f, c: change(f / "config.json", _attn_implementation={"": "sdpa", "text": "evil/kernel@main:f"}),
        "kernel",
    ),
    "pickled weights": (lambda f, c: pickled(f, c, "pytorch_model.bin"), "homeground convert"),
    "pickled weights, .pt": (lambda f, c: pickled(f, c, "model.pt"), "homeground convert"),
    "pickled weights of a module": (lambda f, c: pickled(f / "2_Dense", c, "pytorch_model.bin"), "homeground convert"),
    "TensorFlow weights": (lambda f, c: pickled(f, c, "tf_model.h5"), "homeground convert"),
    "Flax weights": (lambda f, c: pickled(f, c, "flax_model.msgpack"), "homeground convert"),
    "no weights": (lambda f, c: (f / "model.safetensors").unlink(), "no model.safetensors"),
    "link to weights outside": (lambda f, c: linked(f, "model.safetensors"), "link"),
    "link to a folder outside": (lambda f, c: linked(f, "1_Pooling"), "link"),
    "link to settings outside": (lambda f, c: linked(f, "1_Pooling/config.json"), "link"),
    "shard outside": (lambda f, c: sharded(f, "../outside.safetensors"), "../outside.safetensors"),
    "shard missing": (lambda f, c: sharded(f, "model-00001-of-00002.safetensors"), "missing"),
    "index without shards": (
        lambda f, c: (sharded(f, "x"), change(f / "model.safetensors.index.json", weight_map=[])),
        "we",
    ),
    "header longer than the file": (lambda f, c: header(f, {}, length=1 << 40), "damaged"),
    "header of 200 MB": (lambda f, c: header(f, {}, length=200_000_000), "damaged"),
    "header that is no JSON": (lambda f, c: header(f, b"\x80\x04evil"), "damaged"),
    "tensor beyond the file": (lambda f, c: header(f, {"a": tensor(0, 400, 100)}, body=b"0" * 8), "damaged"),
    "tensors that overlap": (
        lambda f, c: header(f, {"a": tensor(0, 8, 2), "b": tensor(4, 12, 2)}, body=b"0" * 12),
        "damaged",
    ),
    "giant shape": (lambda f, c: header(f, {"a": tensor(0, 8, 1 << 40, 1 << 40)}, body=b"0" * 8), "damaged"),
    "file cut short": (lambda f, c: os.truncate(f / "model.safetensors", 5000), "damaged"),
    "giant vocabulary": (lambda f, c: change(f / "config.json", vocab_size=10**12), "vocab_size"),
    "quantized": (lambda f, c: change(f / "config.json", quantization_config={"quant_method": "gptq"}), "quantized"),
    "adapter": (lambda f, c: change(f / "adapter_config.json", base_model_name_or_path="evil/model"), "adapter"),
    "settings nested too deep": (lambda f, c: (f / "config.json").write_text("[" * 200_000), "JSON"),
    "settings that are a list": (lambda f, c: (f / "config.json").write_text("[]"), "JSON object"),
    "settings in another encoding": (lambda f, c: (f / "config.json").write_bytes(b"\xff\xfe{\0}\0"), "JSON"),
    "modules that are no list": (lambda f, c: (f / "modules.json").write_text('{"0": {}}'), "list of modules"),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_a_harmful_checkpoint_is_refused_before_anything_of_it_runs(case: str, folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    spoil, expected = HARMFUL[case]
    spoil(folder, canary)
    started = time.perf_counter()
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(str(folder))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - started < 1
    assert not canary.exists()


def test_harmless_settings_that_resemble_harmful_ones_are_accepted(folder: Path) -> None:
    change(folder / "config.json", auto_map=None, _attn_implementation="sdpa", name_or_path="owner/name")
    (folder / "pytorch_model.bin").write_bytes(b"not read, for model.safetensors is there")
    assert open_checkpoint(str(folder)).modules[0].kind == "Transformer"
