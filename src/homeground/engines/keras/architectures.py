"""The encoders that this engine computes: what their tensors are called, and where their settings are.

All are stacks of post-norm transformer layers (Vaswani et al. 2017; Devlin et al. 2019, BERT). They differ in names, in
how positions are counted, in whether there are token types, and in the head. The names are those of the Hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeground.checkpoint import Checkpoint
from homeground.errors import CheckpointError

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layer:
    """The names of the parts of one layer, each with ``.weight`` and ``.bias``."""

    query: str
    key: str
    value: str
    attention_output: str
    attention_norm: str
    up: str
    down: str
    output_norm: str


@dataclass(frozen=True)
class MaskedHeadNames:
    """The names of a masked-LM head: a linear map, an activation, a norm, and the bias over the vocabulary.

    ``decoder`` is the map to the vocabulary where it does not share the weights of the word embeddings, and
    ``decoder_bias`` another name of the bias. ``activation`` is empty where it is that of the encoder.
    """

    dense: str
    norm: str
    bias: str
    decoder: str
    decoder_bias: str = ""
    activation: str = ""


@dataclass(frozen=True)
class Architecture:
    """One family of encoders.

    ``settings`` maps our names to those of its config.json; a number instead of a name is a constant of the family.
    """

    prefix: str
    classes: str
    stack: str
    layer: Layer
    masked_head: MaskedHeadNames
    settings: Mapping[str, str | float]
    head_dropouts: tuple[str, ...]
    has_types: bool = True
    counts_from_padding: bool = False
    drops_attention_output: bool = True
    padding: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other names of settings, as transformers reads them, each with ours."""


_BERT_LAYER = Layer(
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
_BERT_SETTINGS: dict[str, str | float] = {
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "hidden": "hidden_size",
    "intermediate": "intermediate_size",
    "activation": "hidden_act",
    "epsilon": "layer_norm_eps",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
_BERT_HEAD = MaskedHeadNames(
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
)
_DISTILBERT_LAYER = Layer(
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
)
_DISTILBERT_SETTINGS: dict[str, str | float] = {
    "layers": "n_layers",
    "heads": "n_heads",
    "hidden": "dim",
    "intermediate": "hidden_dim",
    "activation": "activation",
    "epsilon": 1e-12,
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
_DISTILBERT_HEAD = MaskedHeadNames(
    "vocab_transform", "vocab_layer_norm", "vocab_projector.bias", "vocab_projector.weight"
)
_ROBERTA_HEAD = MaskedHeadNames(
    "lm_head.dense", "lm_head.layer_norm", "lm_head.bias", "lm_head.decoder.weight", "lm_head.decoder.bias", "gelu"
)


def _roberta(classes: str) -> Architecture:
    return Architecture(
        "roberta",
        classes,
        "encoder.layer",
        _BERT_LAYER,
        _ROBERTA_HEAD,
        _BERT_SETTINGS,
        ("classifier_dropout", "hidden_dropout_prob"),
        counts_from_padding=True,
        padding=1,
    )


ARCHITECTURES = {
    "bert": Architecture(
        "bert",
        "Bert",
        "encoder.layer",
        _BERT_LAYER,
        _BERT_HEAD,
        _BERT_SETTINGS,
        ("classifier_dropout", "hidden_dropout_prob"),
    ),
    "distilbert": Architecture(
        "distilbert",
        "DistilBert",
        "transformer.layer",
        _DISTILBERT_LAYER,
        _DISTILBERT_HEAD,
        _DISTILBERT_SETTINGS,
        ("seq_classif_dropout",),
        has_types=False,
        drops_attention_output=False,
        aliases={"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"},
    ),
    "roberta": _roberta("Roberta"),
    "xlm-roberta": _roberta("XLMRoberta"),
}
"""By model type."""

DEFAULTS: dict[str, Any] = {
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "n_layers": 6,
    "n_heads": 12,
    "dim": 768,
    "hidden_dim": 3072,
    "activation": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "seq_classif_dropout": 0.2,
}
"""What transformers takes for a setting that an old config.json leaves out."""


@dataclass(frozen=True)
class EncoderShape:
    """The settings of one encoder: sizes, activation, epsilon of its norms, dropouts."""

    architecture: Architecture
    layers: int
    heads: int
    hidden: int
    intermediate: int
    activation: str
    epsilon: float
    dropout: float
    attention_dropout: float
    head_dropout: float
    vocabulary: int
    positions: int
    types: int
    padding: int
    initializer_range: float
    tied: bool

    def body_weights(self) -> Shapes:
        """Return the shapes of the encoder's tensors by name, in the layout of the Hub: ``weight (out, in)``."""
        hidden, layer = self.hidden, self.architecture.layer
        shapes: Shapes = {
            "embeddings.word_embeddings.weight": (self.vocabulary, hidden),
            "embeddings.position_embeddings.weight": (self.positions, hidden),
        }
        if self.architecture.has_types:
            shapes["embeddings.token_type_embeddings.weight"] = (self.types, hidden)
        shapes |= norm_weights("embeddings.LayerNorm", hidden)
        for number in range(self.layers):
            place = f"{self.architecture.stack}.{number}"
            for name in (layer.query, layer.key, layer.value, layer.attention_output):
                shapes |= linear_weights(f"{place}.{name}", hidden, hidden)
            shapes |= norm_weights(f"{place}.{layer.attention_norm}", hidden)
            shapes |= linear_weights(f"{place}.{layer.up}", self.intermediate, hidden)
            shapes |= linear_weights(f"{place}.{layer.down}", hidden, self.intermediate)
            shapes |= norm_weights(f"{place}.{layer.output_norm}", hidden)
        return shapes


def linear_weights(name: str, outputs: int, inputs: int) -> Shapes:
    """Return the shapes of a linear map."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm_weights(name: str, size: int) -> Shapes:
    """Return the shapes of a layer normalization."""
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def read_shape(checkpoint: Checkpoint, *, dropout: float | None = None) -> EncoderShape:
    """Return the settings of a checkpoint's encoder; ``dropout`` replaces all of its dropouts.

    Raises:
        CheckpointError: the architecture, its activation or another setting is not one that this engine computes.
    """
    config, kind = checkpoint.config, str(checkpoint.config.get("model_type"))
    architecture = ARCHITECTURES.get(kind)
    if architecture is None:
        raise CheckpointError(
            f'"{checkpoint.name}" is of type "{kind}", and the keras engine computes {", ".join(ARCHITECTURES)}; use '
            "--engine torch"
        )
    _refuse_unknown(checkpoint)
    known = {name: value for name, value in config.items() if value is not None}
    aliases = {name: known[other] for other, name in architecture.aliases.items() if other in known}
    settings = {**DEFAULTS, **aliases, **known}
    values: dict[str, Any] = {
        name: settings[where] if isinstance(where, str) else where for name, where in architecture.settings.items()
    }
    head_dropout = next((settings[name] for name in architecture.head_dropouts if name in settings), 0.1)
    if dropout is not None:
        values |= {"dropout": dropout, "attention_dropout": dropout}
        head_dropout = dropout
    return EncoderShape(
        architecture,
        **values,
        head_dropout=float(head_dropout),
        vocabulary=int(settings.get("vocab_size", 30522)),
        positions=int(settings.get("max_position_embeddings", 512)),
        types=int(settings.get("type_vocab_size", 2)),
        padding=int(settings.get("pad_token_id", architecture.padding)),
        initializer_range=float(settings.get("initializer_range", 0.02)),
        tied=bool(settings.get("tie_word_embeddings", True)),
    )


KNOWN_ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish")
"""By their names on the Hub."""

ONLY_VALUES: dict[str, tuple[Any, ...]] = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "chunk_size_feed_forward": (0, None),
    "sinusoidal_pos_embds": (False, None),
}
"""Settings with which these encoders compute something else, and the values with which they do not."""


def _refuse_unknown(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError for settings with which the encoder would compute otherwise than it does here."""
    for name, known in ONLY_VALUES.items():
        if checkpoint.config.get(name) not in known:
            raise CheckpointError(
                f'"{checkpoint.name}": config.json sets {name} to {checkpoint.config[name]!r}, which the keras engine '
                "does not compute; use --engine torch"
            )
    activation = str(checkpoint.config.get("hidden_act") or checkpoint.config.get("activation") or "gelu")
    if activation not in KNOWN_ACTIVATIONS:
        raise CheckpointError(
            f'"{checkpoint.name}": the keras engine does not know the activation "{activation}" (it knows '
            f"{', '.join(KNOWN_ACTIVATIONS)}); use --engine torch"
        )
