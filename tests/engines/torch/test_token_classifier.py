"""The head of a token classifier is its last linear map, whatever the architecture calls it and where it lists it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.checkpoints import other

from homeground.checkpoint import open_checkpoint
from homeground.engines import open_engine
from homeground.engines.model import classifier_head

KINDS = ["bert", "camembert", "distilbert", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta"]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_fitted_map_of_the_vectors_that_enter_the_head(kind: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(other(tmp_path / kind, kind)))
    model = open_engine("torch").open_model(checkpoint, head="token_classification", labels=("O", "B-X", "I-X"))
    head = classifier_head(model)
    ids = np.arange(24).reshape(2, 12) + 20
    batch = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "deciding_tokens": (ids % 3 == 0).astype(np.int64),
    }
    vectors = head.features(batch)["head"]
    assert vectors.shape == (8, 32) and head.is_new
    (variant,) = head.variants(vectors)
    random = np.random.default_rng(0)
    weight, bias = random.normal(size=(3, 32)), random.normal(size=3)
    head.set(variant, weight, bias)
    np.testing.assert_allclose(
        model.predict(batch)["logits"], head.variant_features(vectors, variant) @ weight.T + bias, atol=1e-4
    )
