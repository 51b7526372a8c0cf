"""Pooling and what follows it agree with sentence-transformers on folders that either of the two wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests import checkpoints

from homeground.checkpoint import load_tokenizer, open_checkpoint, write_tokenizer
from homeground.data.tokens.tokenized import tokenize
from homeground.engines.torch.loading import open_model
from homeground.engines.torch.networks.pooling import pool
from homeground.errors import CheckpointError
from homeground.recipe.sections import EncoderSettings, TrainingSettings

TEXTS = ["bank", "the data scientist plays in the old town", "a happy baker and a sad lawyer", "good news!", "play"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.bert(tmp_path_factory.mktemp("pooling") / "bert")


def theirs(bert: Path, mode: str, *, dense: torch.nn.Module | None = None, normalize: bool = False) -> Any:
    """Return a sentence encoder of theirs; ``dense`` is the activation of a Dense layer."""
    torch.manual_seed(5)
    modules: list[torch.nn.Module] = [Transformer(str(bert)), Pooling(32, pooling_mode=mode)]
    if dense is not None:
        modules.append(Dense(32, 16, activation_function=dense))
    if normalize:
        modules.append(Normalize())
    return SentenceTransformer(modules=modules, device="cpu")


def our_embeddings(model: Any, folder: Path) -> np.ndarray:
    tokenizer = load_tokenizer(open_checkpoint(str(folder)), max_length=16)
    input_ids, mask = tokenize(TEXTS, tokenizer).pad(np.arange(len(TEXTS))[:, None], 0)
    return model.predict({"input_ids": input_ids, "attention_mask": mask})["embeddings"][:, 0]


def open_(folder: Path, **options: Any) -> Any:
    return open_model(open_checkpoint(str(folder)), head="encoder", **options)


def save(model: Any, folder: Path, origin: Path) -> None:
    folder.mkdir()
    model.save(folder)
    write_tokenizer(open_checkpoint(str(origin)), folder)


CASES = {
    "mean": {"mode": "mean"},
    "cls": {"mode": "cls"},
    "max": {"mode": "max"},
    "mean, normalized": {"mode": "mean", "normalize": True},
    "cls, dense with tanh": {"mode": "cls", "dense": torch.nn.Tanh()},
    "mean, dense, normalized": {"mode": "mean", "dense": torch.nn.Identity(), "normalize": True},
}


@pytest.mark.parametrize("case", CASES)
def test_what_they_wrote_opens_here_and_what_we_write_opens_there(bert: Path, tmp_path: Path, case: str) -> None:
    their_model = theirs(bert, **CASES[case])
    expected = their_model.encode(TEXTS)
    their_model.save(str(tmp_path / "theirs"))
    ours = open_(tmp_path / "theirs")
    np.testing.assert_allclose(our_embeddings(ours, tmp_path / "theirs"), expected, atol=1e-5)

    save(ours, tmp_path / "ours", tmp_path / "theirs")
    again = SentenceTransformer(str(tmp_path / "ours"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(again.encode(TEXTS), expected, atol=1e-5)
    assert [type(module).__name__ for module in again] == [type(module).__name__ for module in their_model]
    reopened = our_embeddings(open_(tmp_path / "ours"), tmp_path / "ours")
    assert np.array_equal(reopened, our_embeddings(ours, tmp_path / "theirs"))


def test_their_modules_are_known_by_the_names_they_write_today(bert: Path, tmp_path: Path) -> None:
    theirs(bert, "cls", dense=torch.nn.Tanh(), normalize=True).save(str(tmp_path))
    types = [module["type"] for module in json.loads((tmp_path / "modules.json").read_text())]
    assert [kind.split(".")[-1] for kind in types] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert json.loads((tmp_path / "1_Pooling" / "config.json").read_text())["pooling_mode"] == "cls"
    model = open_(tmp_path)
    assert (model.network.pooler.mode, model.network.pooler.normalize, len(model.network.pooler.linears)) == (
        "cls",
        True,
        1,
    )


def test_a_trained_encoder_embeds_there_as_it_does_here(bert: Path, tmp_path: Path) -> None:
    theirs(bert, "mean", dense=torch.nn.Tanh(), normalize=True).save(str(tmp_path / "theirs"))
    model = open_(tmp_path / "theirs", loss="angular_mse", training=TrainingSettings(precision="fp32"))
    before = our_embeddings(model, tmp_path / "theirs")
    random = np.random.default_rng(0)
    batch = {
        "input_ids": random.integers(5, 100, (4, 2, 6)),
        "attention_mask": np.ones((4, 2, 6), np.int64),
        "scores": np.array([0.9, 0.5, 0.6, 1.0], np.float32),
    }
    for step in range(3):
        assert model.train_step(batch, 4.0, 1e-2, step).finite
    after = our_embeddings(model, tmp_path / "theirs")
    assert np.abs(after - before).max() > 0.05
    save(model, tmp_path / "ours", tmp_path / "theirs")
    again = SentenceTransformer(str(tmp_path / "ours"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(again.encode(TEXTS), after, atol=1e-5)


def test_a_plain_checkpoint_is_pooled_by_the_mean_or_as_asked(bert: Path) -> None:
    for asked, mode in (("auto", "mean"), ("cls", "cls"), ("max", "max")):
        ours = our_embeddings(open_(bert, encoder=EncoderSettings(pooling=asked)), bert)
        np.testing.assert_allclose(ours, theirs(bert, mode).encode(TEXTS), atol=1e-5)


def test_a_pooling_that_is_not_known_can_be_overruled_as_the_error_says(bert: Path, tmp_path: Path) -> None:
    theirs(bert, "lasttoken").save(str(tmp_path))
    with pytest.raises(CheckpointError, match="pools by lasttoken; choose mean, cls or max with --pooling"):
        open_(tmp_path)
    assert open_(tmp_path, encoder=EncoderSettings(pooling="cls")).network.pooler.mode == "cls"


def test_two_poolings_at_once_are_refused(bert: Path, tmp_path: Path) -> None:
    theirs(bert, "mean").save(str(tmp_path))
    config = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True, "pooling_mode_cls_token": False}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="pools by mean, max; choose"):
        open_(tmp_path)


def test_an_unknown_activation_is_refused_with_those_that_are_known(bert: Path, tmp_path: Path) -> None:
    theirs(bert, "mean", dense=torch.nn.SiLU()).save(str(tmp_path))
    with pytest.raises(CheckpointError, match=r'activation "torch\.nn\.modules\.activation\.SiLU" is not known'):
        open_(tmp_path)


def test_pooling_by_hand_leaves_padding_out() -> None:
    hidden = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [100.0, 100.0]]])
    mask = torch.tensor([[1, 1, 0]])
    assert pool(hidden, mask, "mean").tolist() == [[2.0, -3.0]]
    assert pool(hidden, mask, "cls").tolist() == [[1.0, -4.0]]
    assert pool(hidden, mask, "max").tolist() == [[3.0, -2.0]]


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_bfloat16_vectors_are_pooled_in_float32(mode: str) -> None:
    hidden = torch.randn((2, 300, 4), generator=torch.Generator().manual_seed(0)).bfloat16()
    mask = torch.ones((2, 300), dtype=torch.long)
    assert torch.equal(pool(hidden, mask, mode), pool(hidden.float(), mask, mode))
