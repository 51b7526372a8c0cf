from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import PAIR_HEADER, topic_pairs

from homeground.cli import COMMANDS, run
from homeground.recipe.recipe import settings
from homeground.results.run import Run

TYPED = ["--epochs", "1", "--learning-rate", "2e-3", "--bootstrap-draws", "400"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Usage: homeground" in printed
    assert printed.count("\n") <= 40
    assert max(map(len, printed.splitlines())) <= 80
    assert [printed.count(bracket) for bracket in "(["] == [printed.count(bracket) for bracket in ")]"]


def test_the_help_of_adapt_is_one_screen_and_all_settings_are_one_option_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["adapt", "--help"]) == 0
    short = capsys.readouterr().out
    assert short.count("\n") <= 24
    # The choices of --task are shown, and a description only up to its first semicolon.
    assert "what to learn (similarity, classification, mlm, token-\n" in short
    assert run(["adapt", "--help-all"]) == 0
    long = capsys.readouterr().out
    assert {setting.flag for setting in settings() if setting.name != "data"} <= set(re.findall(r"--[\w-]+", long))
    assert [title for title in long.splitlines() if title.startswith("Recipe")][:3] == [
        "Recipe:", "Recipe, [columns]:", "Recipe, [reading]:",
    ]  # fmt: skip
    flags = [line for line in long.splitlines() if line.startswith("  -")]
    assert f"show all {len(flags)} options" in short


@pytest.mark.parametrize("command", ["evaluate", "compare", "predict", "pairs"])
def test_help_all_shows_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    short = capsys.readouterr().out
    assert run([command, "--help-all"]) == 0
    long = capsys.readouterr().out
    count = sum(line.startswith("  -") for line in long.splitlines())
    assert f"show all {count} options" in short
    assert count > sum(line.startswith("  -") for line in short.splitlines())


def test_adapt_prints_table_verdict_and_report(
    pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["adapt", str(pairs_csv), "--checkpoint", str(encoder), *TYPED]) == 0
    printed = capsys.readouterr()
    assert re.search(r"pearson\s+\S+\s+\S+\s+[+-]\d\.\d{3} \(", printed.out)
    assert re.search(r"^(HELPED|NO EVIDENCE|HURT)", printed.out, re.MULTILINE)
    assert "runs/pairs-similarity/report.html" in printed.out
    # What was understood comes before the start, on stderr, so that stdout holds the result alone.
    assert 'scored pairs of texts, "text_1" and "text_2"' in printed.err
    assert "training for" in printed.err


def test_json_is_one_object_and_quiet_is_quiet(
    pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--json", "--quiet", *TYPED]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["version"] == 1
    assert printed.err == ""


def test_set_reaches_any_setting_by_its_full_name(pairs_csv: Path, encoder: Path) -> None:
    assignments = ["--set", "training.adam_beta2=0.99", "--set", "evaluation.general_margin=0.02"]
    assert run(["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--quiet", *assignments, *TYPED]) == 0
    assert "adam_beta2 = 0.99\n" in Path("runs/pairs-similarity/recipe.toml").read_text()


def test_a_recipe_takes_other_data(pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.toml").write_text('data = "gone.csv"\n[training]\nepochs = 1\n')
    arguments = ["adapt", "recipe.toml", "--set", f"data={pairs_csv}", "--checkpoint", str(encoder), "--dry-run"]
    assert run(arguments) == 0
    assert "steps of 32 examples" in capsys.readouterr().out


def test_titles_may_stand_in_a_file_one_a_line(
    pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("titles.txt").write_text("bank, loan\n\ncourt judge\n", encoding="utf-8")
    arguments = ["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--json", "--quiet", *TYPED]
    assert run([*arguments, "--titles", "titles.txt"]) == 0
    assert json.loads(capsys.readouterr().out)["heat_map"]["titles"] == ["bank, loan", "court judge"]
    Path("titles.txt").write_bytes(b"caf\xe9\nbar\n")
    assert run([*arguments, "--titles", "titles.txt"]) == 2
    assert "titles.txt: is not utf-8 at byte 3, line 1" in capsys.readouterr().err
    Path("titles.csv").write_text("id,title\n1,bank\n2,court\n", encoding="utf-8")
    assert run([*arguments, "--titles", "titles.csv", "--out", "runs/of-a-table"]) == 0
    assert json.loads(capsys.readouterr().out)["heat_map"]["titles"] == ["bank", "court"]
    Path("titles.csv").write_text("id,job\n1,bank\n2,court\n", encoding="utf-8")
    assert run([*arguments, "--titles", "titles.csv"]) == 2
    assert 'which column holds the titles? the columns are "id", "job"' in capsys.readouterr().err


def test_dry_run_estimates_and_writes_nothing(
    pairs_csv: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert run(["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--dry-run", "--json", *TYPED]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert expected["steps"] > 0 and expected["minutes"] > 0 and expected["memory_gib"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_counts_the_trials_of_a_search(
    pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--dry-run", *TYPED]
    steps: list[int] = []
    for more in ([], ["--search", "4", "--search-minutes", "9"]):
        assert run([*arguments, *more, "--json"]) == 0
        steps.append(json.loads(capsys.readouterr().out)["steps"])
    assert steps[1] == 4 * steps[0]
    assert run([*arguments, *more]) == 0
    assert "4 trials in total; none starts after 9 minutes" in capsys.readouterr().out


def test_a_dry_run_counts_the_shares_of_a_learning_curve(
    pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--dry-run", *TYPED, "--batch-size", "1"]
    steps: list[int] = []
    for more in ([], ["--learning-curve"]):
        assert run([*arguments, *more, "--json"]) == 0
        steps.append(json.loads(capsys.readouterr().out)["steps"])
    assert steps[1] == pytest.approx(1.9 * steps[0], rel=0.02)
    assert run([*arguments, "--learning-curve"]) == 0
    assert "including training runs on 5%, 10%, 25%, 50% of them" in capsys.readouterr().out


def test_a_learning_curve_is_printed_with_what_it_suggests(
    pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["adapt", str(pairs_csv), "--checkpoint", str(encoder), "--learning-curve", *TYPED]) == 0
    printed = capsys.readouterr().out
    for share in (5, 10, 25, 50, 100):
        assert re.search(rf"^{share}% +\d+ +-?0\.\d{{3}} +-?0\.\d{{3}} \(", printed, re.MULTILINE), share
    assert re.search(r"^(Still rising|Flat|Inconclusive): ", printed, re.MULTILINE)


def test_the_gate_fails_where_nothing_was_shown(
    write_csv: Callable[..., Path], encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_csv("flat.csv", PAIR_HEADER, topic_pairs(500))
    arguments = ["adapt", str(data), "--checkpoint", str(encoder), "--learning-rate", "0", "--epochs", "1", "--quiet"]
    assert run(arguments) == 0
    assert run([*arguments, "--gate"]) == 1
    assert "NO EVIDENCE" in capsys.readouterr().out


def test_evaluate_compare_predict_and_report(
    finished: Run, encoder: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(finished.folder)
    data = str(write_csv("new.csv", PAIR_HEADER, topic_pairs(200, seed=8)))
    assert run(["evaluate", folder, data]) == 0
    assert re.search(r"pearson\s+0\.\d{3}\s+0\.\d{3} to 0\.\d{3}", capsys.readouterr().out)
    assert run(["compare", str(encoder), folder, data, "--gate"]) == 0
    assert "HELPED" in capsys.readouterr().out
    assert run(["compare", folder, str(encoder), data, "--gate"]) == 1
    capsys.readouterr()
    assert run(["predict", folder, "bank loan", "credit card"]) == 0
    assert 0 <= float(capsys.readouterr().out) <= 1
    assert run(["predict", folder, "a", "b", "c", "--json"]) == 0
    assert np.array(json.loads(capsys.readouterr().out)["similarity"]).shape == (3, 3)
    assert run(["predict", folder, "--embeddings", "bank"]) == 0
    assert len(json.loads(capsys.readouterr().out)["embedding"]) == 32
    assert run(["predict", folder, "--input", data, "--output", "scored.csv"]) == 0
    assert Path("scored.csv").read_text().startswith("text_1,text_2,similarity,predicted_similarity\n")
    assert run(["report", folder]) == 0
    assert run(["report", str(encoder), "--titles", "bank,loan,court", "--out", "map.html"]) == 0
    assert "<table" in Path("map.html").read_text()


def test_the_report_of_a_run_has_one_place(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(finished.folder), "--out", "elsewhere.html"]) == 2
    assert "--out needs --titles" in capsys.readouterr().err
    assert not Path("elsewhere.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adapt", "gone.csv"], "gone.csv"),
        (["adapt"], "DATA is missing"),
        (["adapt", "pairs.csv", "--epoch", "3"], "no option --epoch; did you mean --epochs?"),
        (["adapt", "pairs.csv", "--epochs", "many"], "--epochs (recipe: training.epochs): got 'many'; expected"),
        (["adapt", "pairs.csv", "--similarity", "scor"], 'pairs.csv: has no column "scor"'),
        (["adapt", "pairs.csv", "--task", "poetry"], "--task (recipe: task): got 'poetry'; known: \"similarity\""),
        (["adapt", "pairs.csv", "--set", "training.epochs"], "expected SECTION.FIELD=VALUE"),
        (["adapt", "pairs.csv", "--epochs", "1", "--epochs", "2"], "--epochs is given 2 times and takes one value"),
        (["adapt", "pairs.csv", "--seed", "1", "--set", "seed=2"], "seed is given more than once"),
        (
            ["adapt", "pairs.csv", "--epochs", "1", "--set", "training.epochs=2"],
            "training.epochs is given more than once",
        ),
        (["predict", "minilm", "--output", "a.csv", "--output", "b.csv"], "--output is given 2 times"),
        (["adapt", "pairs.csv", "--text", "text_1", "--text", "gone"], 'has no column "gone"'),
        (["adapt", "pairs.csv", "--text", "text_1", "--label", "text_1"], "named for two parts, --text and --label"),
        (["adapt", "pairs.csv", "--test", "gone.csv"], "gone.csv"),
        (["adapt", "pairs.csv", "--general", "gone.csv"], "gone.csv"),
        (["adapt", "pairs.csv", "--checkpoint", "./nowhere"], "nowhere"),
        (["adapt", "pairs.csv", "--checkpoint", "."], "config.json"),
        (["adapt", "pairs.csv", "--encoding", "utf-99"], "utf-99"),
        (["adapt", "ragged.csv"], "ragged.csv, row 2"),
        (["adapt", "quote.csv"], "quote.csv"),
        (["adapt", "twice.csv"], "twice.csv"),
        (["adapt", "latin.csv"], "byte"),
        (["adapt", "empty.csv"], "empty.csv: is empty"),
        (["adapt", "few.csv"], "expected at least 10"),
        (["adapt", "semicolon.csv"], "--delimiter"),
        (["predict", "minilm"], "expected either texts or --input FILE"),
        (["report", "."], "is not a finished run"),
        (["frobnicate"], 'no command "frobnicate"'),
        (["convert", "gone"], "gone"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], write_csv: Callable[..., Path]
) -> None:
    write_csv("pairs.csv", PAIR_HEADER, topic_pairs(60))
    write_csv("few.csv", PAIR_HEADER, topic_pairs(3))
    Path("ragged.csv").write_text("text_1,text_2,similarity\na,b,0.5\na,b\n")
    Path("quote.csv").write_text('text_1,text_2,similarity\n"a,b,0.5\n')
    Path("twice.csv").write_text("text_1,text_1,similarity\na,b,0.5\n")
    Path("latin.csv").write_bytes("text_1,text_2,similarity\ncafé,b,0.5\n".encode("latin-1"))
    Path("empty.csv").write_text("")
    Path("semicolon.csv").write_text("text_1;text_2;similarity\na;b;0.5\n")
    assert run(arguments) == 2
    error = capsys.readouterr().err.strip()
    last = error.splitlines()[-1]
    assert last.startswith("homeground: ")
    assert message in last
    assert "Traceback" not in error
    assert not Path("runs").exists()


def test_names_in_a_file_do_not_steer_the_terminal(
    tmp_path: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"a{n},b{n},{n % 5 / 4}\n" for n in range(20))
    (tmp_path / "a.csv").write_text(f'"x\x1b[2J","y\n\u202e",similarity\n{rows}')
    names = ["--text-1", "x\x1b[2J", "--text-2", "y\n\u202e"]
    for more in (["--dry-run"], ["--group", "\x9bz"]):
        run(["adapt", str(tmp_path / "a.csv"), "--checkpoint", str(encoder), *names, *more])
    shown = capsys.readouterr().err
    assert r'"x\u001b[2J" and "y\n\u202e"' in shown and r'no column "\u009bz"' in shown
    assert not set("\x1b\x9b\u202e") & set(shown)


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["adapt", "gone.csv", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_answers_at_once() -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    code = "from homeground.cli import run; import sys; run(['--help']); print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    # Time is the machine's; what is imported is ours.
    assert int(done.stdout.splitlines()[-1]) < 400


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_command_goes_on(
    number: int, write_csv: Callable[..., Path], encoder: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300))
    command = [sys.executable, "-m", "homeground", "adapt", str(data), "--checkpoint", str(encoder), "--no-audit"]
    command += ["--epochs", "12", "--batch-size", "8", "--bootstrap-draws", "400", "--learning-rate", "1e-3"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    metrics = Path("runs/pairs-similarity/metrics.jsonl")
    deadline = time.monotonic() + 60
    while not (metrics.is_file() and metrics.read_text().count("\n") > 5) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "the same command goes on from there" in told
    assert not Path("runs/pairs-similarity/scores.json").exists()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "resuming after step" in again.stderr
    assert "report.html" in again.stdout


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"torch", "bf16", "threads", "memory", "checkpoint cache", "keras engine"} <= set(found)


def test_doctor_names_two_tensorflows_over_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeground.engines.keras_installation.version", lambda name: "2.21.0")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: object())
    assert run(["doctor", "--json"]) == 0
    sentence = json.loads(capsys.readouterr().out)["keras engine"]
    assert "tensorflow and tensorflow-cpu are both installed and overwrite each other" in sentence
    assert "pip uninstall -y tensorflow tensorflow-cpu, then pip install 'homeground[keras]'" in sentence
