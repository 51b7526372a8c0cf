"""The head that sees masked positions only, against transformers' own computation over all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import checkpoints
from transformers import AutoConfig, AutoModelForMaskedLM

from homeground.checkpoint import open_checkpoint
from homeground.engines.torch.loading import open_model
from homeground.recipe.sections import TrainingSettings

KINDS = (
    *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet"),
    *("roberta", "xlm-roberta"),
)
IGNORED_LABEL = -100


def folder_of(place: Path, kind: str) -> Path:
    """Fill a folder with a tiny random model of a kind, its head for masked words included."""
    torch.manual_seed(1)
    names = {"n_layers": 2, "n_heads": 2, "dim": 32, "hidden_dim": 64, "embedding_size": 32} | checkpoints.SIZES
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(checkpoints.VOCABULARY),
        max_position_embeddings=66,
        pad_token_id=0,
        **({"norm_eps": 1e-5, "global_attn_every_n_layers": 2} if kind == "modernbert" else {}),
        **names,
    )
    AutoModelForMaskedLM.from_config(config).save_pretrained(place)
    checkpoints.write_word_pieces(place, lower_case=True, max_length=64)
    return place


def batch_of(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return three texts of different lengths, some of their tokens asked for."""
    ids = random.integers(5, len(checkpoints.VOCABULARY), (3, 12))
    mask = np.arange(12) < np.array([[12], [7], [9]])
    asked = (random.random((3, 12)) < 0.3) & mask
    asked[:, 1] = True
    return {
        "input_ids": np.where(mask, np.where(asked, 4, ids), 0),
        "attention_mask": mask.astype(np.int64),
        "labels": np.where(asked, ids, IGNORED_LABEL),
    }


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp(request.param), request.param)


def test_loss_and_gradients_are_those_of_the_whole_head(folder: Path) -> None:
    batch = batch_of(np.random.default_rng(0))
    count = int((batch["labels"] != IGNORED_LABEL).sum())
    own = open_model(
        open_checkpoint(str(folder)),
        head="masked_lm",
        loss="masked_cross_entropy",
        training=TrainingSettings(precision="fp32"),
    )
    assert own.network.gathers
    assert not own.head.is_new
    whole = AutoModelForMaskedLM.from_pretrained(folder).eval()
    expected = whole(**{name: torch.from_numpy(values) for name, values in batch.items()}).loss
    assert own.loss(batch, count) == pytest.approx(float(expected.detach()), abs=1e-5)
    expected.backward()
    tensors = {name: torch.from_numpy(values) for name, values in batch.items()}
    (own._loss.terms(own.network(tensors), tensors) / count).backward()
    theirs = {name: parameter.grad for name, parameter in whole.named_parameters() if parameter.grad is not None}
    mine = {name: parameter.grad for name, parameter in own.body.named_parameters() if parameter.grad is not None}
    assert set(mine) == set(theirs)
    for name, gradient in theirs.items():
        assert torch.allclose(mine[name], gradient, atol=1e-5), name


def test_answers_are_the_log_probabilities_of_the_labels(folder: Path) -> None:
    batch = batch_of(np.random.default_rng(1))
    own = open_model(open_checkpoint(str(folder)), head="masked_lm")
    whole = AutoModelForMaskedLM.from_pretrained(folder).eval()
    with torch.no_grad():
        inputs = {name: torch.from_numpy(batch[name]) for name in ("input_ids", "attention_mask")}
        given = torch.log_softmax(whole(**inputs).logits, -1).numpy()
    asked = batch["labels"] != IGNORED_LABEL
    answers = own.predict(batch)
    expected = given[asked][np.arange(asked.sum()), batch["labels"][asked]]
    assert answers["log_probabilities"] == pytest.approx(expected, abs=1e-5)
    assert answers["first"].tolist() == (given[asked].argmax(-1) == batch["labels"][asked]).tolist()
    filled = own.head.fill(batch, 3)
    assert filled["ids"].tolist() == np.argsort(-given[asked], axis=-1, kind="stable")[:, :3].tolist()


def test_many_masks_are_answered_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(np.random.default_rng(2))
    own = open_model(open_checkpoint(str(folder)), head="masked_lm")
    whole = own.predict(batch)
    monkeypatch.setattr("homeground.engines.slicing.MAX_LOGITS_AT_ONCE", 1)
    parts = own.predict(batch)
    for name, values in whole.items():
        assert parts[name] == pytest.approx(values, abs=1e-6)


def test_a_head_that_mixes_positions_sees_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.bert import modeling_bert

    plain = modeling_bert.BertOnlyMLMHead.forward

    def mixing(self, hidden):
        return plain(self, hidden + hidden.mean(1, keepdim=True))

    monkeypatch.setattr(modeling_bert.BertOnlyMLMHead, "forward", mixing)
    folder = folder_of(tmp_path, "bert")
    own = open_model(open_checkpoint(str(folder)), head="masked_lm", loss="masked_cross_entropy")
    assert not own.network.gathers
    batch = batch_of(np.random.default_rng(3))
    whole = AutoModelForMaskedLM.from_pretrained(folder).eval()
    expected = whole(**{name: torch.from_numpy(values) for name, values in batch.items()}).loss
    assert own.loss(batch, int((batch["labels"] != IGNORED_LABEL).sum())) == pytest.approx(
        float(expected.detach()), abs=1e-5
    )


def test_a_checkpoint_without_the_head_says_so_and_learns_that_alone(tmp_path: Path) -> None:
    folder = checkpoints.other(tmp_path / "bert", "bert")
    own = open_model(
        open_checkpoint(str(folder)),
        head="masked_lm",
        loss="masked_cross_entropy",
        training=TrainingSettings(precision="fp32"),
        trainable="head",
    )
    assert own.head.is_new
    learns = {name for name, parameter in own.body.named_parameters() if parameter.requires_grad}
    assert learns
    assert all(name.startswith("cls.") for name in learns)
    before = {name: value.clone() for name, value in own.body.state_dict().items()}
    own.train_step(batch_of(np.random.default_rng(4)), 10.0, 1e-2, 0)
    changed = {name for name, value in own.body.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == learns | {name for name in changed if name.startswith("cls.")}
