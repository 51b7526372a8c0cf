"""Adapters learn and the body stays; what is saved is a plain model, and the adapters give the same beside the body."""

from __future__ import annotations

import csv
import json
import multiprocessing
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tests import checkpoints
from tests.classifying import lively, topic_texts
from tests.conftest import PAIR_HEADER, topic_pairs
from tests.masking import write_documents
from tests.tagging import tagged_texts, write_tagged
from tests.training import trainings

import homeground
from homeground.checkpoint import open_checkpoint
from homeground.engines.torch import merge, open_model
from homeground.errors import UsageError
from homeground.recipe import lora
from homeground.recipe.sections import EncoderSettings, TrainingSettings
from homeground.results.run import Run
from homeground.storage import file_hash
from homeground.training.events import Interrupted

peft = pytest.importorskip("peft")

QUICK: dict[str, Any] = {"epochs": 1, "cross_fit": 0, "bootstrap_draws": 200, "audit": False, "quiet": True}
QUICK |= {"batch_size": 16, "lora": "r=4,dropout=0.1"}
IDS = torch.tensor([[2, 7, 9, 12, 3], [2, 30, 8, 21, 3]])
CLASSIFIED = {
    "input_ids": IDS.numpy(),
    "attention_mask": np.ones_like(IDS.numpy()),
    "targets": np.eye(3, dtype=np.float32)[[0, 2]],
    "weights": np.ones((2, 3), np.float32),
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    lively(folder / "bert")
    checkpoints.sentence_encoder(folder / "dense", dense=True)
    body = transformers.AutoModel.from_pretrained(folder / "bert")
    shutil.copytree(folder / "bert", folder / "headless")
    body.save_pretrained(folder / "headless")
    for name, header, rows in (
        ("labels.csv", ["text", "label"], topic_texts(80)),
        ("pairs.csv", PAIR_HEADER, topic_pairs(80)),
        ("general.csv", PAIR_HEADER, topic_pairs(60, seed=5)),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    write_documents(folder / "documents.jsonl", 60)
    write_tagged(folder / "tagged.jsonl", tagged_texts(80))
    return folder


CLASSIFIER = transformers.AutoModelForSequenceClassification


def adapt(material: Path, data: str, out: Path, **settings: Any) -> Run:
    return homeground.adapt(str(material / data), out=str(out), **{**QUICK, **settings})


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights by name, without what some architectures put before the names of the body."""
    listed = [load_file(path) for path in sorted(folder.rglob("*.safetensors"))]
    return {name.removeprefix("bert."): value for weights in listed for name, value in weights.items()}


def outputs(model: Any) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        computed = model(input_ids=IDS, attention_mask=torch.ones_like(IDS))
    return computed.logits if "logits" in computed else computed.last_hidden_state


def agrees_with_its_adapters(model: Path, adapter: Path, checkpoint: Path, kind: Any) -> None:
    """peft on the checkpoint gives what the merged model gives, which is not what the checkpoint gives."""
    merged = kind.from_pretrained(model)
    base = kind.from_pretrained(checkpoint, num_labels=merged.config.num_labels)
    adapted = peft.PeftModel.from_pretrained(base, str(adapter))
    plain = kind.from_pretrained(checkpoint, num_labels=merged.config.num_labels)
    assert float((outputs(adapted) - outputs(merged)).abs().max()) < 1e-5
    assert float((outputs(plain) - outputs(merged)).abs().max()) > 1e-4


@pytest.mark.parametrize(
    ("data", "checkpoint", "kind", "settings"),
    [
        ("labels.csv", "bert", transformers.AutoModelForSequenceClassification, {"precision": "bf16"}),
        ("pairs.csv", "dense", transformers.AutoModel, {"precision": "fp32"}),
        ("documents.jsonl", "bert", transformers.AutoModelForMaskedLM, {"mask_draws": 1, "max_length": 16}),
        ("documents.jsonl", "headless", transformers.AutoModelForMaskedLM, {"mask_draws": 1, "max_length": 16}),
        ("tagged.jsonl", "bert", transformers.AutoModelForTokenClassification, {"precision": "fp32"}),
    ],
    ids=["labels", "pairs", "texts", "texts with a new head", "entities"],
)
def test_only_the_adapters_and_new_heads_learn(
    data: str, checkpoint: str, kind: Any, settings: dict[str, Any], material: Path, tmp_path: Path
) -> None:
    run = adapt(material, data, tmp_path / "run", checkpoint=str(material / checkpoint), **settings)
    before, after = weights_of(material / checkpoint), weights_of(run.model_folder)
    moved = {name for name, value in after.items() if name in before and not torch.equal(value, before[name])}
    maps = {name for name in after if ".layer." in name and name.endswith("weight") and "LayerNorm" not in name}
    assert moved == maps
    agrees_with_its_adapters(run.model_folder, run.folder / "adapter", material / checkpoint, kind)
    training = run.scores["training"]
    assert training["lora"] == {"r": 4, "alpha": 8.0, "dropout": 0.1, "layers": ["query", "key", "value", "dense"]}
    assert 0 < training["trained_parameters"] < training["parameters"]
    assert "with LoRA (r 4, alpha 8) on query, key, value, dense" in (run.model_folder / "README.md").read_text()
    assert "with LoRA (r 4, alpha 8)" in (run.folder / "report.html").read_text()


def test_the_model_is_saved_as_without_adapters(material: Path, tmp_path: Path) -> None:
    named = {"checkpoint": str(material / "dense")}
    run = adapt(material, "pairs.csv", tmp_path / "run", **named)
    plain = adapt(material, "pairs.csv", tmp_path / "plain", **{**named, "lora": None})
    listed = [{path.relative_to(each.model_folder) for path in each.model_folder.rglob("*")} for each in (run, plain)]
    assert listed[0] == listed[1]
    assert set(weights_of(run.model_folder)) == set(weights_of(plain.model_folder))
    assert not (plain.folder / "adapter").exists()
    assert plain.scores["training"]["lora"] is None
    texts = ["the bank", "a school"]
    ours = run.load().encode(texts)
    theirs = SentenceTransformer(str(run.model_folder), device="cpu").encode(texts)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_steps_are_those_of_peft(material: Path) -> None:
    """Three steps with the same first values, by peft, transformers and AdamW themselves."""
    kind, labels = transformers.AutoModelForSequenceClassification, ("a", "b", "c")
    checkpoint = open_checkpoint(str(material / "bert"))
    training = TrainingSettings(lora="r=4", precision="fp32", weight_decay=0.1)
    model = open_model(
        checkpoint,
        head="sequence_classification",
        loss="cross_entropy",
        encoder=EncoderSettings(dropout=0.0),
        training=training,
        labels=labels,
    )
    body = kind.from_pretrained(checkpoint.folder, num_labels=3)
    body.load_state_dict(model.body.state_dict())
    targets, full = ["query", "key", "value", "dense"], ["classifier", "bert.pooler.dense"]
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=targets, modules_to_save=full, task_type="SEQ_CLS")
    config.exclude_modules = r".*pooler.*"
    oracle = peft.get_peft_model(body, config).eval()
    first = peft.get_peft_model_state_dict(oracle)
    model._adapters.insert()
    ours = dict(model._network.body.named_parameters())
    for name in first:
        if "lora_A" in name:
            inner = name.removeprefix("base_model.model.").replace("lora_A", "lora_A.default")
            first[name] = ours[inner].detach().clone()
    peft.set_peft_model_state_dict(oracle, first)
    targets_of_texts = torch.tensor([0, 2])
    learned = [each for each in oracle.parameters() if each.requires_grad]
    decays = [{"params": [each for each in learned if each.ndim > 1], "weight_decay": 0.1}]
    decays += [{"params": [each for each in learned if each.ndim <= 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(decays, lr=1e-2)
    for step in range(3):
        logits = oracle(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
        loss = torch.nn.functional.cross_entropy(logits, targets_of_texts)
        result = model.train_step(CLASSIFIED, 2.0, 1e-2, step)
        assert result.loss == pytest.approx(loss.item(), abs=1e-5)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
    expected = oracle.merge_and_unload().state_dict()
    for name, value in model.body.state_dict().items():
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"precision": "bf16", "microbatch_size": 3}])
@pytest.mark.parametrize("step", [1, 13, 20])
def test_stopped_it_ends_as_the_unbroken_training(
    encoder: Path, tmp_path: Path, settings: dict[str, Any], step: int
) -> None:
    training = trainings.make(encoder, lora="r=4,dropout=0.1", **settings)
    last = list(training.events(tmp_path / "run", stop=trainings.stop_after(step)))[-1]
    assert last == Interrupted(step, signal.SIGINT)
    small = next((tmp_path / "run/checkpoints").glob("step-*/learned.safetensors"))
    assert not (small.parent / "model.safetensors").exists()
    unbroken = trainings.finish(training, tmp_path / "unbroken")
    assert trainings.finish(training, tmp_path / "run") == unbroken
    # Given again, it is over, and has the kept weights at once.
    assert trainings.finish(training, tmp_path / "run").weights == unbroken.weights


def test_killed_while_saving_it_ends_as_the_unbroken_training(encoder: Path, tmp_path: Path) -> None:
    settings = {"lora": "r=4,dropout=0.1"}
    context = multiprocessing.get_context("forkserver")
    often = {**settings, "checkpoint_minutes": 1e-9}
    arguments = (str(encoder), str(tmp_path / "run"), often, 60, context.Event())
    process = context.Process(target=trainings.in_a_process, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    training = trainings.make(encoder, **settings)
    assert trainings.finish(training, tmp_path / "run") == trainings.finish(training, tmp_path / "unbroken")


@pytest.mark.parametrize(("data", "checkpoint"), [("labels.csv", "bert"), ("pairs.csv", "dense")])
def test_two_processes_have_the_bits_of_one(data: str, checkpoint: str, material: Path, tmp_path: Path) -> None:
    named = {"checkpoint": str(material / checkpoint), "slices": 2, "threads": 1, "epochs": 2}
    one, two = (adapt(material, data, tmp_path / f"{number}", processes=number, **named) for number in (1, 2))
    for place in ("model/model.safetensors", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"):
        assert file_hash(one.folder / place) == file_hash(two.folder / place)


def test_a_new_head_for_words_is_trained_without_adapters_in_two_processes_too(material: Path, tmp_path: Path) -> None:
    named = {"checkpoint": str(material / "headless"), "slices": 2, "threads": 1, "max_length": 16, "mask_draws": 1}
    one, two = (
        adapt(material, "documents.jsonl", tmp_path / f"{number}", processes=number, **named) for number in (1, 2)
    )
    assert file_hash(one.model_folder / "model.safetensors") == file_hash(two.model_folder / "model.safetensors")


def test_adapters_of_a_merged_model_are_those_of_its_share(material: Path, tmp_path: Path) -> None:
    checkpoint, labels = open_checkpoint(str(material / "bert")), ("a", "b", "c")
    opened = {"head": "sequence_classification", "loss": "cross_entropy", "labels": labels}
    base = open_model(checkpoint, **opened)
    tuned = open_model(checkpoint, **opened, training=TrainingSettings(lora="r=4"))
    for step in range(5):
        tuned.train_step(CLASSIFIED, 2.0, 1e-2, step)
    merged = merge(base, tuned, 0.3)
    merged.save(tmp_path / "model")
    merged.save_adapters(tmp_path / "adapter", checkpoint="bert")
    agrees_with_its_adapters(
        tmp_path / "model", tmp_path / "adapter", material / "bert", transformers.AutoModelForSequenceClassification
    )


def test_what_is_kept_beside_general_ability_is_saved_with_its_adapters(material: Path, tmp_path: Path) -> None:
    named = {"checkpoint": str(material / "dense"), "keep_general": str(material / "general.csv")}
    run = adapt(material, "pairs.csv", tmp_path / "run", **named)
    assert len(run.scores["merging"]["points"]) > 2
    agrees_with_its_adapters(run.model_folder, run.folder / "adapter", material / "dense", transformers.AutoModel)


def test_searches_shares_and_further_seeds_learn_with_adapters(material: Path, tmp_path: Path) -> None:
    named = {"checkpoint": str(material / "bert"), "search": 2, "learning_curve": True, "seeds": 5}
    run = adapt(material, "labels.csv", tmp_path / "run", **named)
    trials = run.scores["search"]["trials"]
    assert trials[0]["learning_rate"] == pytest.approx(5e-4)
    assert all(1e-4 <= trial["learning_rate"] <= 3e-3 for trial in trials)
    assert len(run.scores["seeds"]["trainings"]) == 5
    assert len(run.scores["learning_curve"]["points"]) > 1
    agrees_with_its_adapters(
        run.model_folder, run.folder / "adapter", material / "bert", transformers.AutoModelForSequenceClassification
    )


def test_cross_fitted_folds_learn_with_adapters(material: Path, tmp_path: Path) -> None:
    run = adapt(material, "labels.csv", tmp_path / "run", checkpoint=str(material / "bert"), cross_fit=3)
    assert run.scores["cross_fit"] == 3
    agrees_with_its_adapters(
        run.model_folder, run.folder / "adapter", material / "bert", transformers.AutoModelForSequenceClassification
    )


def test_the_first_values_follow_from_the_seed_alone(material: Path) -> None:
    def first(seed: int, stream: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(stream)
        training = TrainingSettings(lora="r=4")
        checkpoint = open_checkpoint(str(material / "bert"))
        model = open_model(checkpoint, head="masked_lm", loss="masked_cross_entropy", training=training, seed=seed)
        model._adapters.insert()
        return {name: each for name, each in model._network.body.named_parameters() if "lora_A" in name}

    one, same, other = first(0, 1), first(0, 2), first(3, 1)
    assert len(one) > 6
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_targets_are_the_maps_that_are_named(material: Path, tmp_path: Path) -> None:
    named = {"checkpoint": str(material / "bert"), "lora": {"r": 2, "alpha": 3, "targets": ["query", "value"]}}
    run = adapt(material, "labels.csv", tmp_path / "run", **named)
    before, after = weights_of(material / "bert"), weights_of(run.model_folder)
    moved = {name for name, value in after.items() if name in before and not torch.equal(value, before[name])}
    assert {name.split(".")[-2] for name in moved} == {"query", "value"}
    config = json.loads((run.folder / "adapter/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (2, 3)
    assert 'lora = "r=2,alpha=3,dropout=0,targets=query+value"' in (run.folder / "recipe.toml").read_text()


def test_what_cannot_be_adapted_is_refused(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"checkpoint": str(material / "bert")}
    wrong = 'targets=q_lin: the bert architecture has no linear map "q_lin"; its linear maps are query, key, value, den'
    with pytest.raises(UsageError, match=wrong):
        adapt(material, "labels.csv", tmp_path / "a", **{**named, "lora": "r=4,targets=q_lin"})
    with pytest.raises(UsageError, match="--lora is for PyTorch only"):
        adapt(material, "labels.csv", tmp_path / "a", engine="keras", **named)
    with pytest.raises(UsageError, match="--freeze 1 some of them; choose one"):
        adapt(material, "labels.csv", tmp_path / "a", freeze=1, **named)
    with pytest.raises(UsageError, match="--extend-vocabulary adds some that must be learned"):
        adapt(material, "documents.jsonl", tmp_path / "a", extend_vocabulary=5, **named)
    monkeypatch.setattr(lora.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"peft, which is not installed; install it: pip install 'homeground\[lora\]'"):
        adapt(material, "labels.csv", tmp_path / "a", **named)
