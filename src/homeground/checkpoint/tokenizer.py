"""The tokenizer of a checkpoint, opened with the tokenizers library alone.

tokenizer.json contains everything. Two rules of transformers are followed, so that every library reads a text in the
same way: BERT's tokenizers take casing and accents from tokenizer_config.json whatever tokenizer.json says, and old
checkpoints have only vocab.txt.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from homeground.checkpoint.checkpoint import Checkpoint
from homeground.checkpoint.safety import (
    BERT_SPECIAL_TOKENS,
    TOKENIZER_FILES,
    is_bert_like,
    read_settings,
    read_vocabulary,
)
from homeground.checkpoint.saved_model import byte_tokenizer
from homeground.data.cleaning import Cleaner
from homeground.errors import CheckpointError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer, normalizers


def open_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer that transformers' AutoTokenizer would open in this folder.

    Raises CheckpointError where tokenizer.json cannot be read, or sentence_bert_config.json wants lower case from a
    tokenizer that keeps capitals.
    """
    from tokenizers import Tokenizer, normalizers

    if (folder / "tokenizer.json").is_file():
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises the base class
            raise CheckpointError(f"{folder}/tokenizer.json: the tokenizers library cannot read it") from error
        if is_bert_like(folder) and isinstance(tokenizer.normalizer, normalizers.BertNormalizer):
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


class CleaningTokenizer:
    """A tokenizer that cleans texts first; else it is the one it is made of.

    Offsets are those in the cleaned text.
    """

    def __init__(self, plain: Tokenizer, cleaner: Cleaner) -> None:
        self.plain, self.cleaner = plain, cleaner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def encode(self, text: str, *arguments: Any, **options: Any) -> Encoding:
        """Return the tokens of a text."""
        return self.plain.encode(self.cleaner.clean(text), *arguments, **options)

    def encode_batch(self, texts: list[Any], **options: Any) -> list[Encoding]:
        """Return the tokens of texts, or of pairs of texts."""
        return self.plain.encode_batch(self._cleaned(texts), **options)

    def encode_batch_fast(self, texts: list[Any], **options: Any) -> list[Encoding]:
        """Return the tokens of texts, or of pairs of texts, without their offsets."""
        return self.plain.encode_batch_fast(self._cleaned(texts), **options)

    def _cleaned(self, texts: list[Any]) -> list[Any]:
        clean = self.cleaner.clean
        return [clean(each) if isinstance(each, str) else tuple(map(clean, each)) for each in texts]


def without_cleaning(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[Tokenizer, list[str]]:
    """Return a tokenizer that changes no text, and texts as it gets them, for what compares both."""
    cleaner: Cleaner | None = getattr(tokenizer, "cleaner", None)
    if cleaner is None:
        return tokenizer, list(texts)
    plain: Tokenizer = getattr(tokenizer, "plain")  # noqa: B009 - the type says that it is a plain one
    return plain, [cleaner.clean(text) for text in texts]


def cleaner_of(checkpoint: Checkpoint) -> Cleaner:
    """Return the cleaner that a model was saved with; one without steps for any other checkpoint.

    Raises:
        CheckpointError: it was saved by a newer version, or has steps that are not known.
    """
    path = checkpoint.folder / "homeground.json"
    settings = read_settings(path).get("cleaning")
    return Cleaner() if settings is None else Cleaner.from_settings(settings, where=str(path))


def load_tokenizer(checkpoint: Checkpoint, *, max_length: int, cleaner: Cleaner | None = None) -> Tokenizer:
    """Return the tokenizer, which cuts texts to ``max_length`` tokens (special tokens included) and never pads.

    It gives the same ids as transformers' AutoTokenizer for the same folder. Texts are cleaned first by the
    ``cleaner``, by default the one that the model was saved with. Raises CheckpointError where it cannot be read, or
    has token ids beyond the vocabulary of the model.
    """
    tokenizer = _limited(checkpoint, max_length)
    cleaner = cleaner_of(checkpoint) if cleaner is None else cleaner
    if not cleaner:
        return tokenizer
    cleaner.require()
    return cast("Tokenizer", CleaningTokenizer(tokenizer, cleaner))


def _limited(checkpoint: Checkpoint, max_length: int) -> Tokenizer:
    if checkpoint.is_saved_model:
        return byte_tokenizer(max_length)
    tokenizer = open_tokenizer(checkpoint.folder)
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    size = checkpoint.config.get("vocab_size")
    if isinstance(size, int) and highest >= size:
        raise CheckpointError(
            f"{checkpoint.folder}: the tokenizer has token ids up to {highest}, the model a vocabulary of {size}; "
            "they do not belong together"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def padding_id(checkpoint: Checkpoint, tokenizer: Tokenizer) -> int:
    """Return the id of the token that pads short texts."""
    configured = checkpoint.config.get("pad_token_id")
    if isinstance(configured, int):
        return configured
    setting = read_settings(checkpoint.folder / "tokenizer_config.json").get("pad_token")
    padding = _special_token(tokenizer, [setting], "[PAD]", "<pad>")
    if padding is None:
        raise CheckpointError(f'{checkpoint.folder}: no padding token; give its id as "pad_token_id" in config.json')
    return padding


def mask_id(checkpoint: Checkpoint) -> int:
    """Return the id of the mask token.

    Raises:
        CheckpointError: the tokenizer has none.
    """
    files = ("tokenizer_config.json", "special_tokens_map.json")
    entries = [read_settings(checkpoint.folder / name).get("mask_token") for name in files]
    mask = _special_token(open_tokenizer(checkpoint.folder), entries, "[MASK]", "<mask>")
    if mask is None:
        raise CheckpointError(
            f'"{checkpoint.name}": its tokenizer has no mask token, so no word can be masked; name a checkpoint like '
            'BERT, e.g. "distilbert-base-uncased"'
        )
    return mask


def write_tokenizer(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy the files of the tokenizer unchanged to a new folder, so that every library reads the same."""
    if checkpoint.is_saved_model:
        return  # it holds its own
    for name in TOKENIZER_FILES:
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    if not (folder / "tokenizer.json").exists():
        open_tokenizer(checkpoint.folder).save(str(folder / "tokenizer.json"))


def _special_token(tokenizer: Tokenizer, entries: Sequence[object], *usual: str) -> int | None:
    """Return the id of the token of a setting, the first that the tokenizer has, else of a usual one; None if none."""
    names = [cast(dict[str, Any], entry).get("content") if isinstance(entry, dict) else entry for entry in entries]
    ids = (tokenizer.token_to_id(name) for name in (*names, *usual) if isinstance(name, str))
    return next((number for number in ids if number is not None), None)


def _bert_normalizer(folder: Path) -> normalizers.BertNormalizer:
    """Return BERT's normalizer with the options of tokenizer_config.json, by default BERT's own."""
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

    words = read_vocabulary(folder)
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))  # noqa: S106 - a token of text, no secret
    tokenizer.normalizer = _bert_normalizer(folder)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(list(BERT_SPECIAL_TOKENS))
    return tokenizer
