"""The keras engine computes what the torch engine computes, and both read and write the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tests import checkpoints
from tests.classifying import lively
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from homeground.checkpoint import load_tokenizer, mask_id, open_checkpoint, write_tokenizer
from homeground.data.tokens.tokenized import IGNORED_LABEL, tokenize
from homeground.engines import open_engine
from homeground.recipe.sections import EncoderSettings, TrainingSettings

TEXTS = [
    "bank",
    "the old town",
    "a happy baker and a sad lawyer play good news on the road to school",
    "résumé, naïve café: 数据科学 😀",
    "nurse 职业",
    "court paper!",
]
LABELS = ("good", "bad", "odd")
KINDS: dict[str, Callable[[Path], Path]] = {
    "bert": checkpoints.bert,
    "distilbert": checkpoints.distilbert,
    "roberta": checkpoints.roberta,
    "xlm-roberta": lambda folder: checkpoints.other(folder, "xlm-roberta"),
    "minilm": lambda _: Path("minilm"),
}
LOSSES = {
    "encoder": "angular_mse",
    "sequence_classification": "cross_entropy",
    "token_classification": "token_cross_entropy",
    "masked_lm": "masked_cross_entropy",
}
EXACT = EncoderSettings(dropout=0.0)
FP32 = TrainingSettings(precision="fp32", weight_decay=0.1)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[kind](tmp_path_factory.mktemp("parity") / kind)


@pytest.fixture(params=LOSSES)
def head(request: pytest.FixtureRequest) -> str:
    return request.param


def batch_of(folder: Path, head: str) -> dict[str, np.ndarray]:
    checkpoint = open_checkpoint(str(folder))
    tokenizer = load_tokenizer(checkpoint, max_length=24)
    padding = int(checkpoint.config.get("pad_token_id") or 0)
    items = np.arange(6).reshape(3, 2) if head == "encoder" else np.arange(6)
    ids, mask = tokenize(TEXTS, tokenizer).pad(items, padding)
    batch = {"input_ids": ids, "attention_mask": mask}
    if head == "encoder":
        return {**batch, "text_ids": items, "scores": np.array([0.9, 0.5, 0.7], np.float32)}
    if head == "sequence_classification":
        targets = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
        return {**batch, "targets": targets, "weights": np.ones_like(targets)}
    asked = (mask > 0) & (np.arange(ids.shape[1]) % 3 == 1)
    if head == "masked_lm":
        return {
            **batch,
            "input_ids": np.where(asked, mask_id(checkpoint), ids),
            "labels": np.where(asked, ids, IGNORED_LABEL),
        }
    return {
        **batch,
        "deciding_tokens": asked.astype(np.int64),
        "labels": np.where(asked, np.arange(ids.shape[1]) % 3, IGNORED_LABEL),
        "token_weights": asked.astype(np.float32),
    }


def open_both(folder: Path, head: str, tmp_path: Path, **options: Any) -> tuple[Any, Any]:
    """Return a model of each engine with the same weights, those of a new head included."""
    labels = () if head in ("encoder", "masked_lm") else LABELS
    options = {"head": head, "loss": LOSSES[head], "encoder": EXACT, "training": FP32, "labels": labels, **options}
    checkpoint = open_checkpoint(str(folder))
    first = open_engine("torch").open_model(checkpoint, **options)
    tmp_path.mkdir(exist_ok=True)
    saved = save(first, tmp_path / "start", folder)
    second = open_engine("keras").open_model(open_checkpoint(str(saved)), **options)
    return first, second


def save(model: Any, target: Path, origin: Path) -> Path:
    target.mkdir()
    model.save(target)
    write_tokenizer(open_checkpoint(str(origin)), target)
    return target


def difference(first: Any, second: Any) -> float:
    return max(float(np.abs(first[name].astype(np.float64) - second[name]).max()) for name in first)


def test_outputs_and_losses_are_those_of_torch(folder: Path, head: str, tmp_path: Path) -> None:
    batch = batch_of(folder, head)
    first, second = open_both(folder, head, tmp_path)
    assert difference(first.predict(batch), second.predict(batch)) < 1e-5
    assert second.loss(batch, 6.0) == pytest.approx(first.loss(batch, 6.0), abs=1e-5)


def test_hidden_states_are_those_of_torch(folder: Path, tmp_path: Path) -> None:
    batch = batch_of(folder, "sequence_classification")
    first, second = open_both(folder, "sequence_classification", tmp_path)
    features = [model.head.features(batch) for model in (first, second)]
    assert difference(*features) < 1e-5
    with torch.no_grad():
        hidden = first.body.base_model(
            input_ids=torch.tensor(batch["input_ids"]), attention_mask=torch.tensor(batch["attention_mask"])
        )[0].numpy()
    from homeground.engines.keras.encoder_layers import Pass

    ours = second.network.hidden(batch, Pass()).numpy()
    inside = batch["attention_mask"] > 0
    assert np.abs(ours[inside] - hidden[inside]).max() < 1e-5


def test_the_gradients_of_a_step_are_those_of_torch(folder: Path, head: str, tmp_path: Path) -> None:
    batch = batch_of(folder, head)
    first, second = open_both(folder, head, tmp_path)
    tensors = {name: torch.from_numpy(values) for name, values in batch.items()}
    first.network.eval()
    (first._loss.terms(first.network(tensors), tensors) / 6).backward()
    theirs = {name: each.grad.to_dense().numpy() for name, each in first._trainable if each.grad is not None}
    _, gradients = second._gradients(batch, 6.0)
    prefix = second.network.parts.shape.architecture.prefix
    shape = second.network.parts.shape.body_weights()
    for name, gradient in zip(second._optimizer._variables, gradients, strict=True):
        full = f"{prefix}.{name}" if head != "encoder" and (name in shape or name.startswith("pooler")) else name
        candidates = (f"body.{full}", full.replace("dense.0", "pooler.linears.0"))
        # Of shared weights torch keeps one name, which may be that of the decoder.
        expected = next((theirs[each] for each in candidates if each in theirs), None)
        expected = theirs["body.lm_head.decoder.weight"] if expected is None else expected
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_hundred_steps_without_dropout_give_the_same_curve(
    folder: Path, kind: str, head: str, optimizer: str, tmp_path: Path
) -> None:
    if (kind == "minilm" and head != "sequence_classification") or (optimizer == "adam" and kind != "bert"):
        pytest.skip("one curve of the real checkpoint, and Adam without decay on one family, say it all")
    batch = batch_of(folder, head)
    training = TrainingSettings(precision="fp32", optimizer=optimizer, weight_decay=0.1, max_grad_norm_per_weight=0.5)
    first, second = open_both(folder, head, tmp_path, training=training)
    rate = 2e-5 if kind == "minilm" else 5e-4
    curves = [[model.train_step(batch, 6.0, rate, step).loss for step in range(100)] for model in (first, second)]
    assert curves[0][-1] < curves[0][0]
    np.testing.assert_allclose(curves[1], curves[0], rtol=0, atol=1e-3)


@pytest.mark.parametrize("loss", ["cosine_mse", "cosent", "multiple_negatives_ranking"])
@pytest.mark.parametrize("microbatch_size", [None, 1])
def test_other_losses_of_pairs_have_the_same_curve(loss: str, microbatch_size: int | None, tmp_path: Path) -> None:
    folder = checkpoints.sentence_encoder(tmp_path / "encoder", dense=True)
    training = TrainingSettings(precision="fp32", microbatch_size=microbatch_size)
    first, second = open_both(folder, "encoder", tmp_path, loss=loss, training=training)
    batch = batch_of(folder, "encoder")
    curves = [[model.train_step(batch, 3.0, 1e-3, step).loss for step in range(20)] for model in (first, second)]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4, atol=1e-4)


def test_a_model_goes_on_in_the_other_engine(folder: Path, head: str, tmp_path: Path) -> None:
    batch = batch_of(folder, head)
    _, trained = open_both(folder, head, tmp_path)
    for step in range(3):
        trained.train_step(batch, 6.0, 1e-3, step)
    saved = save(trained, tmp_path / "saved", folder)
    options = {"head": head, "loss": LOSSES[head], "encoder": EXACT, "training": FP32}
    theirs = open_engine("torch").open_model(open_checkpoint(str(saved)), **options)
    assert not theirs.head.is_new
    assert difference(theirs.predict(batch), trained.predict(batch)) < 1e-5
    before = trained.loss(batch, 6.0)
    losses = [theirs.train_step(batch, 6.0, 1e-4, step).loss for step in range(3, 6)]
    assert losses[0] == pytest.approx(before, abs=1e-5)
    assert theirs.loss(batch, 6.0) < max(before, 1e-3)


def test_what_is_read_and_not_trained_is_written_to_the_bit(folder: Path, head: str, tmp_path: Path) -> None:
    first, second = open_both(folder, head, tmp_path)
    del first
    again = save(second, tmp_path / "again", folder)
    before, after = load_file(tmp_path / "start" / "model.safetensors"), load_file(again / "model.safetensors")
    assert set(after) <= set(before)
    assert all(np.array_equal(before[name], value) for name, value in after.items())
    # All that is left out are weights that the network does not have, such as counted positions.
    assert all("position_ids" in name or "pooler" in name for name in set(before) - set(after))


def test_transformers_opens_what_was_saved(folder: Path, tmp_path: Path) -> None:
    classes = {
        "sequence_classification": AutoModelForSequenceClassification,
        "token_classification": AutoModelForTokenClassification,
        "masked_lm": AutoModelForMaskedLM,
    }
    for head, auto in classes.items():
        place = tmp_path / head
        place.mkdir()
        _, model = open_both(folder, head, place)
        batch = batch_of(folder, head)
        model.train_step(batch, 6.0, 1e-3, 0)
        saved = save(model, place / "saved", folder)
        theirs, report = auto.from_pretrained(saved, output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        theirs.eval()
        with torch.no_grad():
            logits = theirs(
                **{name: torch.from_numpy(batch[name]) for name in ("input_ids", "attention_mask")}
            ).logits.numpy()
        if head == "token_classification":
            logits = logits[batch["deciding_tokens"] > 0]
        if head == "masked_lm":
            chosen = batch["labels"] != IGNORED_LABEL
            logits = np.take_along_axis(
                torch.log_softmax(torch.from_numpy(logits[chosen]), -1).numpy(), batch["labels"][chosen][:, None], 1
            )[:, 0]
        np.testing.assert_allclose(next(iter(model.predict(batch).values())), logits, rtol=0, atol=2e-5)


def test_the_head_for_masked_words_passes_through_a_siamese_training(tmp_path: Path) -> None:
    folder = checkpoints.bert(tmp_path / "bert")
    batch = batch_of(folder, "encoder")
    model = open_engine("keras").open_model(
        open_checkpoint(str(folder)), head="encoder", loss="angular_mse", training=FP32
    )
    model.train_step(batch, 3.0, 1e-3, 0)
    saved = save(model, tmp_path / "saved", folder)
    before, after = load_file(folder / "model.safetensors"), load_file(saved / "model.safetensors")
    assert set(before) == set(after)
    head = [name for name in before if name.startswith("cls.")]
    assert head
    assert all(np.array_equal(before[name], after[name]) for name in head)
    _, report = AutoModelForMaskedLM.from_pretrained(saved, output_loading_info=True)
    assert not report["missing_keys"]


def test_sentence_transformers_embeds_as_the_engine_does(tmp_path: Path) -> None:
    folder = checkpoints.sentence_encoder(tmp_path / "encoder", dense=True)
    model = open_engine("keras").open_model(
        open_checkpoint(str(folder)), head="encoder", loss="cosine_mse", training=FP32
    )
    batch = batch_of(folder, "encoder")
    for step in range(3):
        model.train_step(batch, 3.0, 1e-2, step)
    saved = save(model, tmp_path / "saved", folder)
    theirs = SentenceTransformer(str(saved), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(model.predict(batch)["embeddings"].reshape(6, -1), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_ids_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    """Both engines are given the same ids; accents, Chinese and emoji are no exception."""
    folder = KINDS[family](tmp_path / family)
    ours = batch_of(folder, "sequence_classification")
    theirs = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, truncation=True, max_length=24)
    assert ours["input_ids"].tolist() == theirs["input_ids"]


def test_names_of_the_first_tensorflow_checkpoints_are_read(tmp_path: Path) -> None:
    folder = lively(tmp_path / "old")
    checkpoint = open_checkpoint(str(folder))
    expected = open_engine("keras").open_model(checkpoint, head="masked_lm").predict(batch_of(folder, "masked_lm"))
    weights = load_file(folder / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in weights.items()
    }
    assert set(old) != set(weights)
    save_file(old, folder / "model.safetensors", metadata={"format": "pt"})
    model = open_engine("keras").open_model(open_checkpoint(str(folder)), head="masked_lm")
    assert difference(model.predict(batch_of(folder, "masked_lm")), expected) == 0


def change(folder: Path, weights: Callable[[dict[str, np.ndarray]], None] | None = None, **settings: object) -> None:
    """Change the weights and the settings of a checkpoint; a setting that is None is taken out."""
    config = json.loads((folder / "config.json").read_text()) | settings
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    if weights is not None:
        tensors = load_file(folder / "model.safetensors")
        weights(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def masked_outputs(folder: Path, engine: str) -> Any:
    model = open_engine(engine).open_model(open_checkpoint(str(folder)), head="masked_lm")
    return model.head.is_new, model.predict(batch_of(folder, "masked_lm"))


def both_decoders(weights: dict[str, np.ndarray]) -> None:
    weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"].copy()


def another_decoder(weights: dict[str, np.ndarray]) -> None:
    weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"][::-1].copy()


def only_decoder(weights: dict[str, np.ndarray]) -> None:
    weights["cls.predictions.decoder.weight"] = weights.pop("bert.embeddings.word_embeddings.weight")


def decoder_bias(weights: dict[str, np.ndarray]) -> None:
    weights["cls.predictions.decoder.bias"] = weights.pop("cls.predictions.bias") + 1


@pytest.mark.parametrize("shape", [both_decoders, another_decoder, only_decoder, decoder_bias])
def test_shared_weights_are_read_as_transformers_reads_them(
    shape: Callable[[dict[str, np.ndarray]], None], tmp_path: Path
) -> None:
    folder = lively(tmp_path / "bert")
    change(folder, shape)
    (is_new, ours), (theirs_is_new, theirs) = (masked_outputs(folder, engine) for engine in ("keras", "torch"))
    assert is_new == theirs_is_new
    assert difference(ours, theirs) < 1e-4


def test_a_shared_decoder_follows_the_training_in_what_is_saved(tmp_path: Path) -> None:
    folder = lively(tmp_path / "bert")
    change(folder, both_decoders)
    batch = batch_of(folder, "masked_lm")
    model = open_engine("keras").open_model(
        open_checkpoint(str(folder)), head="masked_lm", loss="masked_cross_entropy", training=FP32
    )
    for step in range(3):
        model.train_step(batch, 6.0, 1e-2, step)
    saved = save(model, tmp_path / "saved", folder)
    assert difference(masked_outputs(saved, "torch")[1], model.predict(batch)) < 1e-4


def test_settings_that_config_leaves_out_are_those_of_transformers(tmp_path: Path) -> None:
    roberta = checkpoints.roberta(tmp_path / "roberta")
    batches = {roberta: batch_of(roberta, "encoder")}
    assert (batches[roberta]["input_ids"] == 1).any()
    change(roberta, pad_token_id=None)
    distilbert = checkpoints.distilbert(tmp_path / "distilbert")
    change(distilbert, n_heads=None, num_attention_heads=4)
    batches[distilbert] = batch_of(distilbert, "encoder")
    for folder, batch in batches.items():
        ours, theirs = (
            open_engine(name).open_model(open_checkpoint(str(folder)), head="encoder").predict(batch)
            for name in ("keras", "torch")
        )
        assert difference(ours, theirs) < 1e-5


def test_types_of_a_second_text_reach_only_models_that_have_them(tmp_path: Path) -> None:
    for kind in ("bert", "roberta"):
        folder = KINDS[kind](tmp_path / kind)
        first, second = open_both(folder, "sequence_classification", tmp_path / f"start-{kind}")
        batch = batch_of(folder, "sequence_classification")
        batch["token_type_ids"] = (np.arange(batch["input_ids"].shape[1]) > 2) * batch["attention_mask"]
        assert difference(first.predict(batch), second.predict(batch)) < 1e-5


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
@pytest.mark.parametrize("head", ["sequence_classification", "token_classification"])
def test_dropout_is_where_transformers_has_it(kind: str, head: str, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path / kind)
    first, second = open_both(folder, head, tmp_path, encoder=EncoderSettings())
    batch = batch_of(folder, head)
    passed: list[float] = []
    for module in first.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.register_forward_hook(lambda each, _inputs, _outputs: passed.append(each.p))
    first.network.train()
    first.network({name: torch.from_numpy(values) for name, values in batch.items()})
    in_attention = [0.1] * 2  # one a layer, inside the fused operation
    drawn: list[float] = []
    from homeground.engines.keras.encoder_layers import Pass

    class Counting(Pass):
        def drop(self, values: Any, rate: float) -> Any:
            drawn.append(rate)
            return super().drop(values, 0.0)

    second.network.forward(batch, Counting())
    assert sorted(rate for rate in drawn if rate) == sorted([*passed, *in_attention])
