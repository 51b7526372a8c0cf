"""What a checkpoint folder may contain, checked before anything in it is loaded.

A checkpoint is data: numbers in safetensors, settings in JSON. Whatever could run code, download something else, or
read outside the folder is refused here, by name, and never by trying it:

    settings    auto_map and similar, attention kernels from the Hub, adapters that need another model
    modules     anything but the four sentence-transformers modules that Homeground computes
    paths       links, module folders and shard names that leave the folder
    weights     pickles; safetensors whose header does not fit the file
    tokenizer   a tokenizer that only the Python code of transformers could build
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from homeground.checkpoint.saved_model import count_saved_parameters, holds_saved_model
from homeground.errors import CheckpointError
from homeground.storage import parse_json

Json = dict[str, Any]

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

SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
"""What architectures call the number of their layers."""

LAYERS_OF_SHARED_WEIGHTS = 256
"""Layers that a checkpoint may have whose layers share weights."""

FLOATS = ("F16", "F32", "F64", "BF16")
"""The types of weights, as safetensors writes them."""

RUNS_CODE = {
    "auto_map": "names Python code of the checkpoint to run",
    "custom_pipelines": "names Python code of the checkpoint to run",
    "trust_remote_code": "asks for code of the checkpoint to be run",
    "_attn_implementation_internal": "names code to compute attention with",
    "_experts_implementation_internal": "names code to compute experts with",
}
MODULE_TYPE = re.compile(
    r"sentence_transformers\.(models|base\.modules\.\w+|sentence_transformer\.modules(\.\w+)?)"
    r"\.(?P<kind>Transformer|Pooling|Dense|Normalize)"
)
MODULE_ORDER = re.compile(r"Transformer(, Pooling(, Dense)*(, Normalize)?)?")
ACTIVATION = re.compile(r"torch\.nn\.modules\.(activation\.[A-Za-z]+|linear\.Identity)")
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
CONVERTIBLE = (".bin", ".pt", ".pth", ".ckpt")
TENSORFLOW_WEIGHTS = "tf_model.h5"
FOREIGN = (".h5", ".msgpack", ".onnx", ".gguf")


@dataclass(frozen=True)
class Module:
    """One step from text to embedding, as listed in modules.json of sentence-transformers."""

    kind: str
    """``Transformer``, ``Pooling``, ``Dense`` or ``Normalize``."""
    folder: Path
    config: Json
    """The config.json of the module, empty where it has none; of the Transformer that of the model."""


def read_settings(path: Path) -> Json:
    """Return the object in a JSON file, empty if there is no such file."""
    value: object = _read_json(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object; this is not the {path.name} of a checkpoint")
    return cast(Json, value)


def refuse_unsafe(folder: Path) -> tuple[Module, ...]:
    """Check the whole folder and return its sentence-transformers modules, none if it has no modules.json.

    Nothing of the checkpoint is loaded or run. Raises CheckpointError with the file and the reason.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(_no_checkpoint(folder))
    refuse_links(folder)
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(
            f"{folder}: adapter_config.json makes this an adapter on top of another model; "
            "merge the two first (merge_and_unload in peft) and name the merged folder"
        )
    config = read_settings(folder / "config.json")
    if config.get("quantization_config"):
        raise CheckpointError(f"{folder}/config.json: the weights are quantized; name the checkpoint in full precision")
    modules = refuse_unsafe_settings(folder)
    _refuse_foreign_weights(folder, config)
    return modules


def refuse_unsafe_settings(folder: Path) -> tuple[Module, ...]:
    """Check the settings in a folder, and return its sentence-transformers modules; weights are not looked at."""
    for name in SETTINGS:
        _refuse_code(read_settings(folder / name), folder / name)
    modules = _modules(folder)
    labels = read_settings(folder / "config.json").get("id2label")
    if labels is not None and not (isinstance(labels, dict) and all(map(_is_number, cast(Json, labels)))):
        raise CheckpointError(f"{folder}/config.json: id2label is no object from numbers to names; write it again")
    return modules


def _refuse_foreign_weights(folder: Path, config: Json) -> None:
    """Refuse weights that are not those of the settings, before a model of a claimed size is built."""
    shapes = [shape for path in weight_files(folder) for shape in _shapes(path)]
    vocabulary = config.get("vocab_size")
    if isinstance(vocabulary, int) and vocabulary not in {shape[0] for shape in shapes if shape}:
        raise CheckpointError(
            f"{folder}: config.json has a vocab_size of {vocabulary}, but no weight has that many rows; "
            "they do not belong together"
        )
    for name in LAYER_COUNTS:
        layers = config.get(name)
        # The layers of ALBERT share their weights, so that there may be more of them.
        most = LAYERS_OF_SHARED_WEIGHTS if "num_hidden_groups" in config else len(shapes)
        if isinstance(layers, int) and not 0 < layers <= most:
            raise CheckpointError(
                f"{folder}: config.json has {name} {layers}, but there are {len(shapes)} weights; they do not belong "
                "together"
            )


def _is_number(text: object) -> bool:
    return isinstance(text, str) and text.isdecimal() and text.isascii()


def refuse_without_tokenizer(folder: Path) -> None:
    """Refuse a folder whose tokenizer only the Python code of transformers could build."""
    if (folder / "tokenizer.json").is_file() or _is_word_piece(folder):
        return
    there = ", ".join(name for name in TOKENIZER_FILES if (folder / name).is_file()) or "none of its files"
    raise CheckpointError(
        f"{folder}: no tokenizer.json (there is {there}); let transformers write it: "
        "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
    )


def is_bert_like(folder: Path) -> bool:
    """Tell whether transformers would open a tokenizer like BERT's for this folder."""
    kind = read_settings(folder / "tokenizer_config.json").get("tokenizer_class")
    kind = kind or read_settings(folder / "config.json").get("model_type")
    return str(kind).removesuffix("Fast").removesuffix("Tokenizer").lower() in BERT_LIKE


def _is_word_piece(folder: Path) -> bool:
    """Tell whether vocab.txt is a vocabulary of BERT, which needs no more than the tokenizers library."""
    if not is_bert_like(folder) or not (folder / "vocab.txt").is_file():
        return False
    return set(BERT_SPECIAL_TOKENS) <= set(read_vocabulary(folder))


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Return the tokens of vocab.txt with their ids, the numbers of their lines from 0."""
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return {token: number for number, token in enumerate(lines)}


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of the weights: model.safetensors, or the shards that its index names."""
    if (folder / "model.safetensors").is_file():
        return (folder / "model.safetensors",)
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        raise CheckpointError(_no_weights(folder))
    weight_map = read_settings(index).get("weight_map")
    shards = set(map(str, cast(Json, weight_map).values())) if isinstance(weight_map, dict) else set[str]()
    if not shards:
        raise CheckpointError(f'{index}: expected a "weight_map" from tensor names to shards')
    for shard in sorted(shards):
        if not SHARD.fullmatch(shard):
            raise CheckpointError(f'{index}: names "{shard}"; expected names like "model-00001-of-00002.safetensors"')
        if not (folder / shard).is_file():
            raise CheckpointError(f"{folder}: {shard} is missing, which model.safetensors.index.json names")
    return tuple(folder / shard for shard in sorted(shards))


def count_parameters(folder: Path) -> int:
    """Return the number of parameters in the weights of a checkpoint, its heads included."""
    if holds_saved_model(folder):
        return count_saved_parameters(folder)
    return sum(math.prod(shape) for path in weight_files(folder) for shape in _shapes(path))


def _read_json(path: Path) -> object:
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON; download the file again") from error


def refuse_links(folder: Path) -> None:
    """Refuse links out of the folder, except those of a snapshot in the Hub's cache to its own blobs."""
    home = folder.resolve()
    in_cache = home.parent.name == "snapshots" and home.parents[1].name.startswith("models--")
    allowed = [home, home.parents[1] / "blobs"] if in_cache else [home]
    for path in folder.rglob("*"):
        if path.is_symlink() and not any(path.resolve().is_relative_to(place) for place in allowed):
            raise CheckpointError(
                f"{path}: a link that leaves the checkpoint's folder; replace it with the file if you trust it"
            )


def _refuse_code(settings: Json, path: Path) -> None:
    """Refuse settings, at any depth, that name code or a kernel to download."""
    for key, value in _entries(settings):
        if value and key in RUNS_CODE:
            raise CheckpointError(
                f'{path}: "{key}" {RUNS_CODE[key]}; Homeground runs no code from a checkpoint: name one without it'
            )
        if key.endswith("_implementation") and any("/" in text for text in _texts(value)):
            raise CheckpointError(
                f'{path}: "{key}" names a kernel on the Hub; remove the setting or name another checkpoint'
            )


def _entries(value: object) -> Iterator[tuple[str, object]]:
    """Yield every key and value of a JSON value, at any depth."""
    if isinstance(value, dict):
        for key, inner in cast(Json, value).items():
            yield key, inner
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in cast(list[object], value):
            yield from _entries(inner)


def _texts(value: object) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast(Json, value).values():
            yield from _texts(inner)


def _modules(folder: Path) -> tuple[Module, ...]:
    """Return the modules of modules.json after checking each."""
    path = folder / "modules.json"
    if not path.is_file():
        return ()
    listed = _read_json(path)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in cast(list[object], listed)):
        raise CheckpointError(f"{path}: expected a JSON list of modules")
    modules = tuple(_module(entry, folder) for entry in cast(list[Json], listed))
    kinds = ", ".join(module.kind for module in modules)
    if not MODULE_ORDER.fullmatch(kinds) or modules[0].folder != folder:
        raise CheckpointError(
            f"{path}: lists {kinds or 'nothing'}; expected a Transformer in the folder itself, then Pooling, "
            "then any Dense, then perhaps Normalize"
        )
    return modules


def _module(entry: Json, folder: Path) -> Module:
    """Return one module of modules.json after checking its type, its place, its settings and its weights."""
    path = folder / "modules.json"
    module_type = MODULE_TYPE.fullmatch(str(entry.get("type")))
    if module_type is None:
        raise CheckpointError(
            f'{path}: module type "{entry.get("type")}" would be code of the checkpoint or is unknown here; '
            "known: Transformer, Pooling, Dense and Normalize of sentence-transformers"
        )
    place = entry.get("path")
    if not isinstance(place, str) or PureWindowsPath(place).anchor or ".." in PureWindowsPath(place).parts:
        raise CheckpointError(f'{path}: module path "{place}" leaves the checkpoint\'s folder')
    inside = folder / place
    config = read_settings(inside / "config.json")
    _refuse_code(config, inside / "config.json")
    kind, activation = module_type["kind"], config.get("activation_function")
    if kind == "Dense" and activation is not None and not ACTIVATION.fullmatch(str(activation)):
        raise CheckpointError(f'{inside}/config.json: activation "{activation}" is none of torch.nn.modules.activation')
    if config.get("use_residual"):
        raise CheckpointError(f"{inside}/config.json: a Dense layer with use_residual is not known here")
    if kind == "Dense":
        for weights in weight_files(inside):
            _shapes(weights)
    return Module(kind, inside, config)


def _shapes(path: Path) -> list[list[int]]:
    """Return the shapes of the tensors in a safetensors file, from its header; a matrix of integers is refused.

    The parser of the library refuses a header that is too long, is no JSON, or does not cover the file exactly.
    """
    from safetensors import safe_open

    try:
        with cast(Any, safe_open)(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            shapes = {name: part.get_shape() for name, part in slices.items()}
            kinds = {name: str(part.get_dtype()) for name, part in slices.items()}
    except Exception as error:  # safetensors' own error class, or an OSError
        raise CheckpointError(f"{path}: damaged, or no safetensors file; download it again") from error
    for name, kind in kinds.items():
        # Positions are kept as whole numbers beside the weights.
        if not kind.startswith(FLOATS) and len(shapes[name]) > 1 and not name.endswith("_ids"):
            raise CheckpointError(
                f"{path}: {name} is of type {kind}, which is none of weights in full precision; take the checkpoint "
                "that it was made from"
            )
    return list(shapes.values())


def _no_checkpoint(folder: Path) -> str:
    """Return the message for a folder without config.json."""
    names = sorted(path.name for path in folder.iterdir())
    there = ", ".join(names[:6]) + (", …" if len(names) > 6 else "") if names else "nothing"
    return f"{folder}: no checkpoint, because it has no config.json (it holds {there}); name a folder that has one"


def _no_weights(folder: Path) -> str:
    """Return the message for a folder without safetensors."""
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    pickled = [name for name in files if name.endswith(CONVERTIBLE)]
    foreign = [name for name in files if name.endswith(FOREIGN)]
    if pickled:
        return (
            f"{folder}: {pickled[0]} is a pickle, which can run code when it is read; "
            f'run "homeground convert {folder}" once to turn it into model.safetensors'
        )
    if TENSORFLOW_WEIGHTS in files:
        return (
            f"{folder}: {TENSORFLOW_WEIGHTS} contains weights as transformers 4 wrote them with TensorFlow; run "
            f'"homeground convert {folder}" once to turn it into model.safetensors'
        )
    if foreign:
        return (
            f"{folder}: {foreign[0]} contains weights of another framework; model.safetensors is needed, and "
            '"homeground convert FOLDER" makes it from .bin, .pt or .pth files only'
        )
    return f"{folder}: no model.safetensors beside config.json; the download may be incomplete"
