"""What nobody would think of: random commands, recipes, files of data, runs and checkpoints end in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from homeground.errors import HomegroundError
from homeground.recipe.recipe import make_recipe
from homeground.recipe.recipe import settings as recipe_settings
from homeground.tasks.reading import read_table
from tests.faults.conftest import EVERYTHING, Row, Unbroken, Zygote, furnished

TIMES = 10 if EVERYTHING else 1
UNEXPECTED = 70
"""The exit code of what no code of ours foresaw."""

ODD = ["", " ", "-1", "0", "1", "3", "0.5", "nan", "inf", "1e999", "true", "none", "中文", "é", "a" * 300, "[]", "{}"]
ODD += [
    "--",
    "-",
    ".",
    "..",
    "/dev/null",
    "labels.csv",
    "pairs.csv",
    "bert",
    "encoder",
    "missing",
    "a,b",
    "\udcff",
    "%s",
    "\x1b[31m",
]
COMMANDS = ["adapt", "inspect", "predict", "encode", "evaluate", "compare", "report", "runs", "fill-mask", "pairs", ""]


def random(examples: int) -> Callable[..., Any]:
    """Return the settings of a test that tries so many random cases, ten times as many by ``make faults``."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=checks,
        phases=[Phase.generate],
    )


def ended(answer: dict[str, Any]) -> bool:
    """Return whether a command ended as commands do: with a code of ours, in time, and without a traceback."""
    return answer["status"] not in (UNEXPECTED,) and answer["status"] >= 0 and "Traceback" not in answer["output"]


@pytest.mark.timeout(1200)
def test_random_commands(zygote: Zygote, material: Path, row: Callable[[str], Row], tmp_path: Path) -> None:
    tried, flags = row("10 random commands"), [each.flag for each in recipe_settings()]
    folder = furnished(tmp_path, material)
    option = st.tuples(st.sampled_from(flags), st.sampled_from(ODD)).map(list)
    rest = st.lists(option | st.sampled_from(ODD).map(lambda value: [value]), max_size=4)

    @random(30)
    @given(command=st.sampled_from(COMMANDS), first=st.sampled_from(ODD), rest=rest)
    def run(command: str, first: str, rest: list[list[str]]) -> None:
        argv = [*([command] if command else []), first, *(each for pair in rest for each in pair)]
        argv += ["--dry-run", "--checkpoint", "bert"] if command == "adapt" else []
        answer = zygote.ask({"argv": argv, "cwd": str(folder)})
        tried(str(argv), ended(answer), str(answer))

    run()


@pytest.mark.timeout(1200)
def test_random_recipes(zygote: Zygote, material: Path, row: Callable[[str], Row], tmp_path: Path) -> None:
    tried = row("10 random recipes")
    folder = furnished(tmp_path, material)
    names = st.sampled_from(
        [".".join(each.path) for each in recipe_settings()] + ["x", "training", "training.x", "data.x"]
    )
    values = st.sampled_from(['""', '"labels.csv"', "1", "-1", "0.5", "nan", "inf", "true", "[]", "[1]", '["a"]', "{}"])
    values |= st.sampled_from(["1979-05-27", "1e400", "{a = 1}", '"bert"', '"\\u0000"', "9" * 30, "", "'"])

    @random(20)
    @given(lines=st.lists(st.tuples(names, values), max_size=5), cut=st.integers(0, 400))
    def run(lines: list[tuple[str, str]], cut: int) -> None:
        text = 'data = "labels.csv"\ncheckpoint = "bert"\n' + "\n".join(f"{name} = {value}" for name, value in lines)
        (folder / "recipe.toml").write_text(text if cut > 200 else text[: cut * len(text) // 200])
        answer = zygote.ask({"argv": ["adapt", "recipe.toml", "--dry-run"], "cwd": str(folder)})
        tried(text, ended(answer), str(answer))

    run()


DATA = {
    "a.csv": b'text,label\nbank money,good\n"river, ""town""\nroad",bad\n' * 9,
    "b.jsonl": b'{"text": "bank", "label": "a"}\n{"text": "r\\u00e9sum\\u00e9", "label": ["b", "c"]}\n' * 9,
    "c.json": b'[{"text_1": "bank", "text_2": "loan", "similarity": 0.5}, {"text_1": "a", "text_2": "b"}]',
    "d.conll": b"EU B-ORG\nrejects O\n\nPeter B-PER\nBlackburn I-PER\n\n" * 9,
    "e.tsv": b"text1\ttext2\tscore\nbank\tloan\t0.5\na\tb\t1\n" * 9,
    "f.txt": "银行很好。\n\nriver town\n".encode() * 9,
    "g.jsonl": b'{"text": "Peter of EU", "spans": [[0, 5, "PER"], [9, 11, "ORG"]]}\n' * 9,
}
BYTES = st.sampled_from(
    [b"\x00", b"\xff", b'"', b"\r", b"\n", b"\t", b",", b"{", b"]", b"\xef\xbb\xbf", b"\x1a", b"\xe4\xbd", b"1e999"]
)


@pytest.mark.timeout(1200)
def test_random_data(row: Callable[[str], Row], tmp_path: Path) -> None:
    tried = row("10 random data")

    @random(150)
    @given(
        name=st.sampled_from(list(DATA)),
        changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), BYTES), max_size=4),
        suffix=st.sampled_from(["", "", "", ".csv", ".json", ".gz", ".parquet", ".xlsx", ".conll", ".arrow"]),
    )
    def read(name: str, changes: list[tuple[float, int, bytes]], suffix: str) -> None:
        content = DATA[name]
        for place, removed, added in changes:
            at = int(place * len(content))
            content = content[:at] + added + content[at + removed :]
        path = tmp_path / (name + suffix)
        path.write_bytes(content)
        problem = ""
        try:
            read_table(make_recipe(data=str(path))).corpus()
        except HomegroundError:
            pass
        except Exception as error:  # what is looked for
            problem = repr(error)
        tried(f"{path.name} {content!r}", not problem, problem)

    read()


@pytest.mark.timeout(1200)
def test_random_changes_of_a_run(
    zygote: Zygote, unbroken: Callable[[str], Unbroken], row: Callable[[str], Row], tmp_path: Path
) -> None:
    tried, finished = row("10 random changes of a run"), unbroken("labels").folder
    files = sorted(p.relative_to(finished).as_posix() for p in (finished / "runs/run").rglob("*") if p.is_file())
    commands = st.sampled_from(
        [
            ["report", "runs/run"],
            ["runs"],
            ["predict", "runs/run", "labels.csv", "--output", "out.csv"],
            ["compare", "runs/run", "bert"],
            ["adapt", "labels.csv", "--checkpoint", "runs/run", "--dry-run"],
        ]
    )
    contents = [None, b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"version": 99}', b"\x00" * 64]

    @random(15)
    @given(name=st.sampled_from(files), argv=commands, content=st.sampled_from(contents))
    def run(name: str, argv: list[str], content: bytes | None) -> None:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        folder = Path(shutil.copytree(finished, tmp_path / "run", symlinks=True))
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        answer = zygote.ask({"argv": argv, "cwd": str(folder)})
        tried(f"{argv} {name} {(content or b'')[:20]!r}", ended(answer), str(answer))

    run()


@pytest.mark.timeout(1200)
def test_random_changes_of_a_checkpoint(
    zygote: Zygote, material: Path, row: Callable[[str], Row], tmp_path: Path
) -> None:
    tried = row("10 random changes of a checkpoint")
    files = ["config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json"]
    values = st.sampled_from([None, -1, 0, 1, 1e9, 0.5, "", "x", [], {}, [1], {"a": 1}, True, "../x", 10**20])

    @random(20)
    @given(name=st.sampled_from(files), place=st.integers(0, 40), value=values)
    def run(name: str, place: int, value: object) -> None:
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        (tmp_path / "work").mkdir()
        folder = furnished(tmp_path / "work", material)
        (folder / "encoder").unlink()
        shutil.copytree(material / "encoder", folder / "encoder")
        path = folder / "encoder" / name
        if not path.is_file():
            return
        changed = change(json.loads(path.read_text()), place, value)
        path.write_text(json.dumps(changed))
        argv = ["adapt", "pairs.csv", "--checkpoint", "encoder", "--dry-run"]
        answer = zygote.ask({"argv": argv, "cwd": str(folder)})
        tried(f"{name} {place} {value!r}", ended(answer), str(answer))

    run()


def change(value: Any, place: int, new: object) -> Any:
    """Return JSON in which one of the values, counted in order, is another one; itself where there are fewer."""
    counter = iter(range(place + 1))

    def changed(value: Any) -> Any:
        if next(counter, None) == place:
            return new
        if isinstance(value, dict):
            return {key: changed(each) for key, each in value.items()}
        return [changed(each) for each in value] if isinstance(value, list) else value

    return changed(value)
