"""Tiny random checkpoints, built in code in a fraction of a second each and the same on every machine.

Every function fills a folder with what `save_pretrained` writes (config.json, model.safetensors, tokenizer.json,
tokenizer_config.json) and returns it. The weights are random, so nothing these models say means anything.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?-'")
WORDS = """the a of and to in is for with on at by from this that bank money loan card account bill pay credit river
data scientist engineer nurse teacher doctor lawyer baker good bad happy sad big small old new one two three film
movie book news paper court law judge police city town road house home school train bus car cat dog play##"""
CHINESE = list("我你他们的是不在有人这中大来上国个到说数据科学工程师法律好坏天地银行")
WORD_VOCABULARY = [
    *SPECIAL_TOKENS,
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS[:36]),
    *WORDS.replace("##", "").split(),
    "##s", "##ing", "##ed",
    *CHINESE,
]  # fmt: skip
VOCABULARY = list(dict.fromkeys(WORD_VOCABULARY))
SIZES = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


def bert(folder: Path, *, seed: int = 0, lower_case: bool = True, dropout: float = 0.1, max_length: int = 64) -> Path:
    """Fill ``folder`` with a two-layer BERT with its masked-LM head and a WordPiece tokenizer that knows Chinese."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        max_position_embeddings=max_length,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **SIZES,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    write_word_pieces(folder, lower_case=lower_case, max_length=max_length)
    return folder


def distilbert(folder: Path, *, seed: int = 0, max_length: int = 64) -> Path:
    """Fill ``folder`` with a two-layer DistilBERT without a head."""
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(VOCABULARY), max_position_embeddings=max_length, n_layers=2, n_heads=2, dim=32, hidden_dim=64
    )
    DistilBertModel(config).save_pretrained(folder)
    write_word_pieces(folder, lower_case=True, max_length=max_length)
    return folder


def other(folder: Path, kind: str, *, seed: int = 0, max_length: int = 64) -> Path:
    """Fill ``folder`` with a two-layer encoder of any model type that reads word pieces, without a head."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind, vocab_size=len(VOCABULARY), max_position_embeddings=max_length + 2, pad_token_id=0, **SIZES
    )
    AutoModel.from_config(config).save_pretrained(folder)
    write_word_pieces(folder, lower_case=True, max_length=max_length)
    return folder


def roberta(folder: Path, *, seed: int = 0, max_length: int = 64) -> Path:
    """Fill ``folder`` with a two-layer RoBERTa and a byte-level BPE trained on `WORDS`.

    RoBERTa counts positions from the padding id plus one, so it holds two more of them than a text may have tokens.
    """
    torch.manual_seed(seed)
    tokenizer = byte_pairs()
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=max_length + 2,
        type_vocab_size=1,
        pad_token_id=tokenizer.token_to_id("<pad>"),
        bos_token_id=tokenizer.token_to_id("<s>"),
        eos_token_id=tokenizer.token_to_id("</s>"),
        **SIZES,
    )
    RobertaForMaskedLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(folder)
    return folder


def sentence_encoder(folder: Path, *, seed: int = 0, max_length: int = 32, dense: bool = False) -> Path:
    """Fill ``folder`` with a tiny BERT, mean pooling, maybe a Dense layer, and normalisation, as modules.json says."""
    bert(folder, seed=seed)
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": max_length, "do_lower_case": False})
    )
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    write_module(folder / "1_Pooling", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    if dense:
        modules.append(("2_Dense", "Dense"))
        activation = "torch.nn.modules.activation.Tanh"
        write_module(
            folder / "2_Dense",
            {"in_features": 32, "out_features": 16, "bias": True, "activation_function": activation},
        )
        from safetensors.torch import save_file

        save_file(
            {"linear.weight": torch.randn(16, 32), "linear.bias": torch.zeros(16)}, folder / "2_Dense/model.safetensors"
        )
    modules.append((f"{len(modules)}_Normalize", "Normalize"))
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    return folder


def write_module(folder: Path, config: dict[str, object]) -> None:
    """Write one sentence-transformers module folder with its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))


def write_word_pieces(folder: Path, *, lower_case: bool, max_length: int) -> None:
    """Write the WordPiece tokenizer over `VOCABULARY` as transformers writes it."""
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    BertTokenizerFast(vocab=vocabulary, do_lower_case=lower_case, model_max_length=max_length).save_pretrained(folder)


def byte_pairs() -> Tokenizer:
    """Return a byte-level BPE of RoBERTa's kind, trained on `WORDS`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")), add_prefix_space=False
    )
    return tokenizer
