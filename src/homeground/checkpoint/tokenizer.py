"""A checkpoint's tokenizer, opened by the tokenizers library alone.

tokenizer.json holds everything. Two habits of transformers are followed, because the adapted model must read a text
the same way in every library: BERT's tokenizers take casing and accents from tokenizer_config.json whatever
tokenizer.json says, and old checkpoints have only vocab.txt.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from homeground.checkpoint.safety import read_settings
from homeground.errors import CheckpointError

if TYPE_CHECKING:
    from tokenizers import Tokenizer, normalizers

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
)
BERT_LIKE = frozenset(
    ("bert", "distilbert", "electra", "layoutlm", "mobilebert", "mpnet", "nomic_bert", "splinter", "squeezebert")
)
"""Tokenizer classes (without "Tokenizer") and model types for which transformers rebuilds BERT's normalizer."""

BERT_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def open_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer that transformers' AutoTokenizer would open in this folder.

    Raises CheckpointError where tokenizer.json is unreadable, or sentence_bert_config.json asks for lower case from a
    tokenizer that keeps capitals.
    """
    from tokenizers import Tokenizer, normalizers

    if (folder / "tokenizer.json").is_file():
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises the bare class
            raise CheckpointError(f"{folder}/tokenizer.json: the tokenizers library cannot read it") from error
        if _is_bert_like(folder) and isinstance(tokenizer.normalizer, normalizers.BertNormalizer):
            tokenizer.normalizer = _bert_normalizer(folder)
    else:
        tokenizer = _word_piece(folder)
    wants_lower_case = read_settings(folder / "sentence_bert_config.json").get("do_lower_case")
    if wants_lower_case and (tokenizer.normalizer is None or tokenizer.normalizer.normalize_str("ABC") != "abc"):
        raise CheckpointError(
            f'{folder}/sentence_bert_config.json: "do_lower_case" is true, but the tokenizer keeps capitals; '
            'set it to false, or add "Lowercase" to the normalizer of tokenizer.json'
        )
    return tokenizer


def refuse_without_tokenizer(folder: Path) -> None:
    """Refuse a folder whose tokenizer only transformers' own Python code could build."""
    if (folder / "tokenizer.json").is_file() or _is_word_piece(folder):
        return
    there = ", ".join(name for name in TOKENIZER_FILES if (folder / name).is_file()) or "none of its files"
    raise CheckpointError(
        f"{folder}: no tokenizer.json (there is {there}); let transformers write it: "
        "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
    )


def _is_bert_like(folder: Path) -> bool:
    """Whether transformers reads this folder's texts with a tokenizer of BERT's kind."""
    named = read_settings(folder / "tokenizer_config.json").get("tokenizer_class")
    kind = named or read_settings(folder / "config.json").get("model_type")
    return str(kind).removesuffix("Fast").removesuffix("Tokenizer").lower() in BERT_LIKE


def _is_word_piece(folder: Path) -> bool:
    """Whether vocab.txt is a BERT vocabulary, which needs no more than the tokenizers library."""
    if not _is_bert_like(folder) or not (folder / "vocab.txt").is_file():
        return False
    return set(BERT_SPECIAL_TOKENS) <= set(_words(folder))


def _words(folder: Path) -> dict[str, int]:
    """Return the tokens of vocab.txt with their ids, which are their lines counted from 0."""
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return {token: number for number, token in enumerate(lines)}


def _bert_normalizer(folder: Path) -> normalizers.BertNormalizer:
    """Return BERT's normalizer as tokenizer_config.json wants it, with BERT's own defaults."""
    from tokenizers import normalizers

    settings = read_settings(folder / "tokenizer_config.json")
    return normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        strip_accents=settings.get("strip_accents"),
        lowercase=bool(settings.get("do_lower_case", True)),
    )


def _word_piece(folder: Path) -> Tokenizer:
    """Return BERT's tokenizer over vocab.txt (Devlin et al., 2019; WordPiece after basic tokenization)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    words = _words(folder)
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))  # noqa: S106 - a token of text, no secret
    tokenizer.normalizer = _bert_normalizer(folder)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(list(BERT_SPECIAL_TOKENS))
    return tokenizer
