"""SavedModels as sentence encoders: measured, adapted, saved, adapted again; and what of them is never run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import checkpoints, saved_models

import homeground
from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
from homeground.data.tokens.tokenized import tokenize
from homeground.engines import engine_for, open_engine
from homeground.errors import CheckpointError, UsageError
from homeground.recipe.sections import EncoderSettings, TrainingSettings

TEXTS = ["the bank", "money in a loan", "nurse", "doctor and nurse", "数据科学 😀 café", "a river bank"]
TRAINING = TrainingSettings(optimizer="adam", adam_beta2=0.9999, max_grad_norm=None, max_grad_norm_per_weight=1.0)
KINDS: dict[str, Callable[[Path], Path]] = {
    "called": saved_models.hashing,
    "dictionary": lambda folder: saved_models.hashing(folder, outputs="dictionary"),
    "signature": lambda folder: saved_models.hashing(folder, outputs="signature"),
    "vocabulary": saved_models.vocabulary,
    "sentence pieces": lambda folder: saved_models.sentence_pieces(folder, TEXTS * 3),
}


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture(scope="module")
def hashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_models.hashing(tmp_path_factory.mktemp("hashing") / "model")


def open_(folder: Path, **options: Any) -> Any:
    checkpoint = open_checkpoint(f"saved_model:{folder}", trust_saved_model=True)
    return open_engine("keras").open_model(checkpoint, **{"head": "encoder", **options})


def pairs(folder: Path) -> dict[str, np.ndarray]:
    checkpoint = open_checkpoint(f"saved_model:{folder}", trust_saved_model=True)
    tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length)
    sides = np.arange(6).reshape(3, 2)
    ids, mask = tokenize(TEXTS, tokenizer).pad(sides, padding_id(checkpoint, tokenizer))
    scores = np.array([0.9, 0.5, 0.7], np.float32)
    return {"input_ids": ids, "attention_mask": mask, "text_ids": sides, "scores": scores}


def to_train(folder: Path, **options: Any) -> Any:
    return open_(folder, loss="angular_mse", training=TRAINING, **options)


def train(model: Any, batch: dict[str, np.ndarray], steps: range) -> list[float]:
    return [model.train_step(batch, 3.0, 1e-2, step).loss for step in steps]


def vectors_by_tensorflow(folder: Path) -> np.ndarray:
    """Return what TensorFlow alone gives for the texts."""
    from homeground.engines.keras.framework import tf

    loaded = tf.saved_model.load(str(folder))
    outputs = loaded(TEXTS) if callable(loaded) else loaded.signatures["serving_default"](tf.constant(TEXTS))
    if isinstance(outputs, dict):
        outputs = outputs.get("default", next(iter(outputs.values())))
    return outputs.numpy()


def test_vectors_are_those_of_tensorflow_before_and_after_training(folder: Path, tmp_path: Path) -> None:
    model, batch = to_train(folder), pairs(folder)
    expected = vectors_by_tensorflow(folder).reshape(3, 2, -1)
    np.testing.assert_allclose(model.predict(batch)["embeddings"], expected, rtol=0, atol=1e-6)
    losses = train(model, batch, range(30))
    assert losses[-1] < losses[0] * 0.9
    model.save(tmp_path)
    trained = model.predict(batch)["embeddings"]
    assert not np.allclose(trained, expected)
    np.testing.assert_allclose(trained, vectors_by_tensorflow(tmp_path).reshape(3, 2, -1), rtol=0, atol=1e-6)


def test_a_saved_one_is_the_same_to_the_bit_and_is_adapted_again(folder: Path, tmp_path: Path) -> None:
    model, batch = to_train(folder), pairs(folder)
    train(model, batch, range(3))
    model.save(tmp_path)
    again = to_train(tmp_path)
    assert np.array_equal(again.predict(batch)["embeddings"], model.predict(batch)["embeddings"])
    before = again.loss(batch, 3.0)
    train(again, batch, range(10))
    assert again.loss(batch, 3.0) < before


def test_a_restored_training_goes_on_as_if_it_had_never_stopped(folder: Path, tmp_path: Path) -> None:
    unbroken, batch = to_train(folder), pairs(folder)
    train(unbroken, batch, range(4))
    unbroken.save(tmp_path, with_optimizer=True)
    expected = train(unbroken, batch, range(4, 8))
    restored = to_train(folder)
    train(restored, batch, range(2))
    restored.restore(tmp_path)
    assert train(restored, batch, range(4, 8)) == expected


def test_merging_is_between_two(hashing: Path) -> None:
    base, tuned, batch = open_(hashing), to_train(hashing), pairs(hashing)
    train(tuned, batch, range(5))
    merge = open_engine("keras").merge
    for weight, model in ((0.0, base), (1.0, tuned)):
        assert np.array_equal(
            merge(base, tuned, weight).predict(batch)["embeddings"], model.predict(batch)["embeddings"]
        )
    values = [np.concatenate([each.numpy().ravel() for each in model.network.variables.values()])
              for model in (base, tuned, merge(base, tuned, 0.25))]  # fmt: skip
    np.testing.assert_allclose(values[2], 0.75 * values[0] + 0.25 * values[1], rtol=0, atol=1e-6)


def test_a_saved_model_must_be_trusted_and_is_computed_by_keras(hashing: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is a program that TensorFlow runs.*add --trust-saved-model"):
        open_checkpoint(f"saved_model:{hashing}")
    checkpoint = open_checkpoint(f"saved_model:{hashing}", trust_saved_model=True)
    assert engine_for(checkpoint, "torch") == "keras"
    with pytest.raises(CheckpointError, match="add --engine keras"):
        open_engine("torch").require_supported(checkpoint)


@pytest.mark.parametrize("kind", ["read", "write"])
def test_operations_on_files_are_never_run(kind: str, tmp_path: Path) -> None:
    folder = saved_models.hashing(tmp_path / "evil", forbidden=kind)
    canary = Path(f"{folder}.canary")
    canary.unlink(missing_ok=True)
    for opens in (open_, lambda each: open_engine("keras").require_supported(
        open_checkpoint(f"saved_model:{each}", trust_saved_model=True)
    )):  # fmt: skip
        with pytest.raises(CheckpointError, match=f"would run {kind.title()}File, which is not among the operations"):
            opens(folder)
    assert not canary.exists()


def change_program(folder: Path, change: Callable[[Any], None]) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    program = SavedModel()
    program.ParseFromString((folder / "saved_model.pb").read_bytes())
    change(program)
    (folder / "saved_model.pb").write_bytes(program.SerializeToString())


def test_a_vocabulary_is_read_from_the_assets_only(tmp_path: Path) -> None:
    folder = saved_models.vocabulary(tmp_path / "model")
    open_(folder)

    def rebind(program: Any) -> None:
        """Let a constant instead of the asset name the file."""
        for function in program.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op.startswith("InitializeTableFromTextFile"):
                    name = function.node_def.add()
                    name.name, name.op = "anywhere", "Const"
                    node.input[1] = "anywhere:output:0"

    change_program(folder, rebind)
    with pytest.raises(CheckpointError, match="would run InitializeTableFromTextFileV2"):
        open_(folder)


def test_functions_that_call_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    folder = saved_models.vocabulary(tmp_path / "model")

    def tie(program: Any) -> None:
        for function in program.meta_graphs[0].graph_def.library.function:
            if any(node.op.startswith("InitializeTableFromTextFile") for node in function.node_def):
                node = function.node_def.add()
                node.name, node.op = "again", function.signature.name
                node.input.extend(argument.name for argument in function.signature.input_arg)

    change_program(folder, tie)
    with pytest.raises(CheckpointError, match="its functions do not fit together"):
        open_(folder)


def test_a_run_of_a_saved_model_is_known_by_the_hash_of_its_settings_too(tmp_path: Path, hashing: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(hashing, folder)
    (folder / "homeground.json").write_text('{"max_length": 50}')
    first = open_checkpoint(f"saved_model:{folder}", trust_saved_model=True)
    (folder / "homeground.json").write_text('{"max_length": 60}')
    second = open_checkpoint(f"saved_model:{folder}", trust_saved_model=True)
    assert (first.max_length, second.max_length) == (50, 60)
    assert first.sha256 != second.sha256
    digest = {"homeground.json": {"sha256": "0" * 64}}
    (folder / "manifest.json").write_text(json.dumps({"files": digest}))
    with pytest.raises(CheckpointError, match=r"homeground\.json is not as it was written"):
        open_checkpoint(f"saved_model:{folder}", trust_saved_model=True)


def test_objects_name_only_functions_that_they_describe(tmp_path: Path) -> None:
    folder = saved_models.vocabulary(tmp_path / "model")

    def forget(program: Any) -> None:
        described = program.meta_graphs[0].object_graph_def.concrete_functions
        del described[next(name for name in described if "initializ" in name)]

    change_program(folder, forget)
    with pytest.raises(CheckpointError, match=r"its objects name the function .*, which it does not describe"):
        open_(folder)


def test_registered_classes_do_not_stand_in_for_an_asset(tmp_path: Path) -> None:
    folder = saved_models.vocabulary(tmp_path / "model")

    def register(program: Any) -> None:
        objects = program.meta_graphs[0].object_graph_def.nodes
        next(each for each in objects if each.HasField("asset")).registered_name = "tf.TrackableConstant"

    change_program(folder, register)
    with pytest.raises(CheckpointError, match=r'an object is of the registered class "tf\.TrackableConstant"'):
        open_(folder)


def test_tensorflow_sees_nothing_that_was_not_checked(tmp_path: Path) -> None:
    """A function that nobody calls, and one that would be taken in place of another, are not in what is loaded."""
    from homeground.engines.keras.framework import tf
    from homeground.engines.keras.saved_model.program import CheckedProgram

    folder, canary = saved_models.hashing(tmp_path / "model"), tmp_path / "canary"

    @tf.function(input_signature=[])
    def debug() -> Any:
        shape = tf.raw_ops.DebugIdentity(input=tf.constant([2, 3]), debug_urls=[canary.as_uri()])
        return tf.reshape(tf.raw_ops.Placeholder(dtype=tf.float32), shape)

    extra = debug.get_concrete_function().function_def
    shutil.rmtree(canary, ignore_errors=True)

    def add(program: Any) -> None:
        library = program.meta_graphs[0].graph_def.library
        for function in library.function:
            function.attr["api_implements"].s = b"embed"
        library.function.add().CopyFrom(extra)

    change_program(folder, add)
    assert open_(folder).predict(pairs(folder))["embeddings"].shape == (3, 2, saved_models.SIZE)
    assert not canary.exists()
    checkpoint = open_checkpoint(f"saved_model:{folder}", trust_saved_model=True)
    program = CheckedProgram(checkpoint)
    loaded = (program.folder / "saved_model.pb").read_bytes()
    assert b"DebugIdentity" not in loaded and b"api_implements" not in loaded and b"SaveV2" not in loaded


def test_gradients_of_its_own_are_checked_and_computed(tmp_path: Path) -> None:
    folder = saved_models.hashing(tmp_path / "model", own_gradient=True)
    model = to_train(folder)
    losses = train(model, pairs(folder), range(10))
    assert losses[-1] < losses[0]
    evil = saved_models.hashing(tmp_path / "evil", own_gradient=True, forbidden="gradient")
    with pytest.raises(CheckpointError, match="would run WriteFile"):
        open_(evil)


def test_settings_in_a_folder_do_not_make_it_trusted(tmp_path: Path, hashing: Path) -> None:
    folder = tmp_path / "pretender"
    shutil.copytree(hashing, folder)
    checkpoints.bert(tmp_path / "bert")
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(tmp_path / "bert" / name, folder / name)
    settings = {"model_type": "homeground_saved_model", "pad_token_id": 256, "vocab_size": 257}
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"config\.json says that it is a SavedModel"):
        open_checkpoint(str(folder))


def test_no_file_says_whom_to_trust(tmp_path: Path) -> None:
    for text in ("trust_saved_model = true\n", "[encoder]\ntrust_saved_model = true\n"):
        (tmp_path / "recipe.toml").write_text('data = "pairs.csv"\n' + text)
        with pytest.raises(UsageError, match="trust_saved_model cannot be set in a file"):
            homeground.adapt(tmp_path / "recipe.toml")


def test_assets_lie_in_their_folder(tmp_path: Path) -> None:
    folder = saved_models.vocabulary(tmp_path / "model")

    def move(program: Any) -> None:
        program.meta_graphs[0].asset_file_def[0].filename = "../../secret.txt"

    change_program(folder, move)
    with pytest.raises(CheckpointError, match=r'names the asset "\.\./\.\./secret\.txt", which is no file'):
        open_(folder)


def test_what_cannot_be_adapted(tmp_path: Path, hashing: Path) -> None:
    fixed = saved_models.hashing(tmp_path / "fixed", trainable=False)
    assert open_(fixed).predict(pairs(fixed))["embeddings"].shape == (3, 2, saved_models.SIZE)
    with pytest.raises(CheckpointError, match=r"but not adapted: it has no trainable variable"):
        to_train(fixed)
    with pytest.raises(CheckpointError, match="does not turn a list of strings into one vector each"):
        open_(saved_models.counting(tmp_path / "numbers"))
    with pytest.raises(CheckpointError, match="gives vectors of texts and nothing else; adapt it to pairs"):
        open_(hashing, head="sequence_classification", labels=("a", "b"))
    for settings in ({"encoder": EncoderSettings(pooling="cls")}, {"encoder": EncoderSettings(dropout=0.1)}):
        with pytest.raises(UsageError, match="cannot be set inside a SavedModel"):
            open_(hashing, **settings)
    with pytest.raises(UsageError, match="--precision bf16 cannot be set"):
        open_(hashing, loss="angular_mse", training=TrainingSettings(precision="bf16"))


def test_folders_that_hold_no_whole_saved_model(tmp_path: Path) -> None:
    folder = saved_models.hashing(tmp_path / "model")
    (folder / "saved_model.pb").write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match=r"damaged, or no SavedModel|was not written by"):
        open_(folder)
    (folder / "variables" / "variables.index").unlink()
    with pytest.raises(CheckpointError, match=r"variables/variables\.index is missing"):
        open_(folder)
    (folder / "saved_model.pb").unlink()
    with pytest.raises(CheckpointError, match=r"no SavedModel, because it has no saved_model\.pb"):
        open_(folder)


def test_a_damaged_weight_file(tmp_path: Path) -> None:
    folder = saved_models.hashing(tmp_path / "model")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="TensorFlow could not load it"):
        open_(folder)


def test_weights_that_are_no_numbers(tmp_path: Path, hashing: Path) -> None:
    model = to_train(hashing)
    next(iter(model.network.variables.values())).assign_add(np.full((saved_models.SIZE,) * 2, np.nan, np.float32))
    model.save(tmp_path)
    with pytest.raises(CheckpointError, match="are NaN or infinite"):
        open_(tmp_path)


def test_the_whole_command(tmp_path: Path, hashing: Path) -> None:
    random = np.random.default_rng(0)
    words = ["bank", "money", "loan", "nurse", "doctor", "river", "court", "judge", "film", "movie"]
    rows = ["text_1,text_2,similarity"]
    for _ in range(150):
        first, second = random.choice(words, 2), random.choice(words, 2)
        shared = len(set(first) & set(second)) / 2
        number = random.integers(10**6)
        rows.append(f"{' '.join(first)} {number},{' '.join(second)} {number + 1},{shared}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")

    def command(*arguments: str, code: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "homeground", *arguments], capture_output=True, text=True,
                              check=False, cwd=tmp_path)  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "TensorFlow" not in done.stderr or code
        return done.stdout + done.stderr

    adapt = ("adapt", "pairs.csv", "--checkpoint", f"saved_model:{hashing}", "--out", "run", "--epochs", "3",
             "--learning-rate", "1e-2", "--optimizer", "adam", "--adam-beta2", "0.9999", "--max-grad-norm-per-weight",
             "1", "--patience", "2")  # fmt: skip
    assert "--trust-saved-model" in command(*adapt, code=2)
    assert not (tmp_path / "run").exists()
    command(*adapt, "--trust-saved-model")
    run = homeground.Run(tmp_path / "run")
    assert run.finished
    assert json.loads((run.folder / "data.json").read_text())["checkpoint"]["saved_model"] is True
    card = (run.model_folder / "README.md").read_text()
    assert "is a SavedModel of TensorFlow, and stays one" in card
    assert "sentence_transformers" not in card
    assert (run.folder / "tensorboard").is_dir()
    with pytest.raises(CheckpointError, match="add --trust-saved-model"):
        homeground.load(run)
    printed = command("predict", "run", "bank money", "bank loan", "--trust-saved-model")
    model = homeground.load(run, trust_saved_model=True)
    assert isinstance(model, homeground.Encoder)
    assert f"{model.similarity('bank money', 'bank loan'):.3f}"[:4] in printed
    command("predict", "run", "--input", "pairs.csv", "--text", "text_1", "--embeddings", "--output", "vectors.npy",
            "--trust-saved-model")  # fmt: skip
    assert np.load(tmp_path / "vectors.npy").shape == (150, saved_models.SIZE)
    short = command(*adapt[:4], "--trust-saved-model", "--max-length", "4", "--epochs", "1", "--out", "short")
    assert "HELPED" in short or "EVIDENCE" in short or "HURT" in short
    cut = homeground.load(tmp_path / "short", trust_saved_model=True)
    assert isinstance(cut, homeground.Encoder)
    assert cut.max_length == 4
    assert cut.similarity("bank money", "bank loan") > 0.998
    with pytest.raises(UsageError, match="is a SavedModel, a program for whoever loads it, and is not published"):
        homeground.publish(run, "somebody/something", dry_run=True)
    assert "add --engine keras" in command(
        "adapt", "pairs.csv", "--checkpoint", "run", "--out", "second", "--trust-saved-model", code=2
    )
    copy = model.save(tmp_path / "copy")
    assert np.array_equal(homeground.load(copy, trust_saved_model=True).encode(["bank"]), model.encode(["bank"]))
