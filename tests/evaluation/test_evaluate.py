"""What is measured of a model does not depend on the batches it is measured in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation_sets import NOTHING, scored_pairs

from homeground.checkpoint import load_tokenizer, open_checkpoint
from homeground.engines import open_engine
from homeground.engines.model import Model
from homeground.errors import DataError
from homeground.evaluation.evaluate import embed, evaluate, mean_loss


@pytest.fixture(scope="module")
def model(encoder: Path) -> Model:
    return open_engine("torch").open_model(open_checkpoint(str(encoder)), head="encoder", loss="angular_mse")


@pytest.fixture(scope="module")
def pairs(encoder: Path) -> Any:
    return scored_pairs(50, tokenizer=load_tokenizer(open_checkpoint(str(encoder)), max_length=16))


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_scores_and_loss_are_the_same_in_batches_of_any_size(model: Model, pairs: Any, batch_size: int) -> None:
    usual = evaluate(model, pairs.task, pairs.rows, batch_size=32)
    measured = evaluate(model, pairs.task, pairs.rows, batch_size=batch_size)
    np.testing.assert_allclose(measured.predictions, usual.predictions, atol=1e-6)
    loss = mean_loss(model, pairs.task, pairs.rows, batch_size=batch_size)
    # The angular loss is the mean squared error of the similarity.
    assert loss == pytest.approx(measured.scores["mse"], rel=1e-4)


def test_every_text_has_its_own_embedding_in_the_order_of_the_texts(model: Model, pairs: Any) -> None:
    texts = pairs.rows.texts
    together = embed(model, texts, padding=0, batch_size=8)
    assert together.shape == (len(texts), 32)
    for place in (0, 1, len(texts) - 1):
        input_ids, mask = texts.pad(np.array([[place]]), 0)
        alone = model.predict({"input_ids": input_ids, "attention_mask": mask})["embeddings"][0, 0]
        np.testing.assert_allclose(together[place], alone, atol=1e-5)


class NoItems:
    """Rows without an item."""

    def lengths(self, occasion: str) -> Any:
        return np.zeros(0, np.int64)


def test_rows_without_an_item_are_refused() -> None:
    rows: Any = NoItems()
    with pytest.raises(DataError, match="nothing can be measured"):
        evaluate(NOTHING, NOTHING, rows, batch_size=2)
