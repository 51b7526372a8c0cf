"""What is no encoder of text, or holds no numbers, is refused in one line whatever its settings say."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import checkpoints
from transformers import (
    AutoConfig,
    AutoModel,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    LlamaModel,
    PreTrainedModel,
    Qwen2Config,
    Qwen2Model,
    T5Config,
    T5EncoderModel,
    ViTConfig,
    ViTModel,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from homeground.checkpoint import Checkpoint, open_checkpoint, require_encoder
from homeground.checkpoint.checkpoint import DECODERS, ENCODER_DECODERS
from homeground.engines import open_engine
from homeground.errors import CheckpointError

PINNED = (Path(__file__).parents[3] / "constraints.txt").read_text(encoding="utf-8")
"""Holds the release of every library that is installed by default."""

WORDS = len(checkpoints.VOCABULARY)
SIZES = {**checkpoints.SIZES, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "vocab_size": WORDS}
HEADS = ("encoder", "sequence_classification")

Build = Callable[[], PreTrainedModel]

DECODER_MODELS: dict[str, Build] = {
    "GPT2Model": lambda: GPT2Model(
        GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=WORDS, pad_token_id=0, bos_token_id=2, eos_token_id=3)
    ),
    "LlamaModel": lambda: LlamaModel(LlamaConfig(**SIZES, num_key_value_heads=2)),
    "Qwen2Model": lambda: Qwen2Model(Qwen2Config(**SIZES, num_key_value_heads=2)),
}


def saved(model: PreTrainedModel, folder: Path) -> Checkpoint:
    model.save_pretrained(folder)
    checkpoints.write_word_pieces(folder, lower_case=True, max_length=32)
    return open_checkpoint(str(folder))


@pytest.mark.parametrize("name", DECODER_MODELS)
def test_a_decoder_without_its_head_is_refused_by_its_family_and_by_what_it_computes(name: str, tmp_path: Path) -> None:
    checkpoint = saved(DECODER_MODELS[name](), tmp_path / "decoder")
    with pytest.raises(CheckpointError, match=rf"left to right only.* \({name}\); name an encoder"):
        require_encoder(checkpoint)
    # A family that no list names is found out by its hidden states.
    with pytest.raises(CheckpointError, match=rf"left to right only \({name}\); name an encoder"):
        open_engine("torch").open_model(checkpoint, head="encoder")


def test_a_decoder_that_was_made_to_read_both_ways_is_an_encoder(tmp_path: Path) -> None:
    config = AutoConfig.for_model(
        "gemma3_text", **SIZES, num_key_value_heads=2, head_dim=16, use_bidirectional_attention=True
    )
    checkpoint = saved(AutoModel.from_config(config), tmp_path / "gemma")
    require_encoder(checkpoint)
    open_engine("torch").open_model(checkpoint, head="encoder")


@pytest.mark.parametrize("head", HEADS)
def test_an_encoder_of_an_encoder_decoder_is_refused(head: str, tmp_path: Path) -> None:
    config = T5Config(vocab_size=WORDS, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
    checkpoint = saved(T5EncoderModel(config), tmp_path / "t5")
    with pytest.raises(CheckpointError, match=r"an encoder and a decoder, to generate text \(T5EncoderModel\)"):
        require_encoder(checkpoint)
    with pytest.raises(CheckpointError, match=r'an encoder and a decoder .*model type "t5"'):
        open_engine("torch").open_model(checkpoint, head=head, labels=("a", "b"))


def test_a_model_that_reads_no_text_is_refused(tmp_path: Path) -> None:
    config = ViTConfig(**checkpoints.SIZES, image_size=32, patch_size=16)
    with pytest.raises(CheckpointError, match=r"no text for its input \(ViTModel"):
        open_engine("torch").open_model(saved(ViTModel(config), tmp_path / "vit"), head="encoder")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("head", [*HEADS, "masked_lm"])
def test_weights_that_are_no_numbers_are_named(value: float, head: str, tmp_path: Path) -> None:
    folder = checkpoints.bert(tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.1.output.dense.weight"
    weights[name][3, :2] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"2 of 2048 weights in \S*encoder.layer.1.output.dense.weight are NaN or"
    ):
        open_engine("torch").open_model(open_checkpoint(str(folder)), head=head, labels=("a", "b"))


@pytest.mark.parametrize("kind", ["distilbert", "roberta", "albert", "electra", "mpnet", "modernbert", "deberta-v2"])
def test_encoders_are_encoders(kind: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(checkpoints.other(tmp_path / "encoder", kind)))
    require_encoder(checkpoint)
    model = open_engine("torch").open_model(checkpoint, head="encoder")
    batch = {"input_ids": torch.ones(1, 1, 4, dtype=torch.long).numpy()}
    assert model.predict({**batch, "attention_mask": batch["input_ids"]})["embeddings"].shape == (1, 1, 32)


@pytest.mark.skipif(
    f"transformers=={version('transformers')}" not in PINNED, reason="the families are those of the pinned release"
)
def test_the_families_are_those_of_transformers() -> None:
    assert not DECODERS & set(MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    assert set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) >= DECODERS
    # The encoder alone of an encoder-decoder is a model type of its own only here.
    assert set(MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES) >= ENCODER_DECODERS
