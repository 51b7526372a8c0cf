"""Row 16: text that is written to do harm does none, in tables, in the terminal, in the report and in its name."""

from __future__ import annotations

import csv
import html.parser
import io
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from homeground.cli import run
from homeground.data.formats import csv_field
from tests.faults.conftest import Row

FORMULA = "=HYPERLINK(1)"
BEFORE = (
    "",
    "\n",
    "\r",
    "\t",
    "\x00",
    " ",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u00ad",
    "\u2060",
    "\u202e",
    "\x1b",
    "\u3000",
)
SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"

PAYLOADS = (
    "<script>alert(1)</script>",
    "]]></script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "{{ 7*7 }} {% raw %}",
    "$\\\\input{/etc/passwd}$ & < >",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "\u202egnp.exe\u2066",
    "[red]rich[/red] \x9b31m",
    "---\nlicense: mit\n---",
    "../../../../etc/cron.d/x",
    "javascript:alert(1) http://evil.example/x",
)
"""What would run, hide, or leave its place, were it taken for anything but text."""


def test_no_formula_passes_the_guard_of_tables(row: Callable[[str], Row]) -> None:
    tried = row("16 formulas in CSV files")
    for before in BEFORE:
        for sign in SIGNS:
            text = before + sign + FORMULA[1:]
            tried(repr(text), str(csv_field(text)).startswith("'"))
    for harmless in ("-5", "+3.5e-7", "a=b", "", "word - word"):
        tried(repr(harmless), csv_field(harmless) == harmless)


ACTIVE = {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
"""Elements that do or fetch something."""


class Tags(html.parser.HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.timeout(600)
def test_hostile_text_is_inert_wherever_it_is_shown(
    material: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    row: Callable[[str], Row],
) -> None:
    tried = row("16 hostile text")
    monkeypatch.chdir(tmp_path)
    rows = [(f"{PAYLOADS[number % len(PAYLOADS)]} {number}", f"{PAYLOADS[number % 2]}") for number in range(120)]
    with Path("data.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", PAYLOADS[2]], *rows])
    common = ["--epochs", "1", "--bootstrap-draws", "200", "--cross-fit", "0", "--out", "run"]
    code = run(
        ["adapt", "data.csv", "--text", "text", "--label", PAYLOADS[2], "--checkpoint", str(material / "bert"), *common]
    )
    shown = capsys.readouterr()
    tried("adapt", code == 0, shown.err)
    codes = [
        code,
        run(["predict", "run", "--", *PAYLOADS]),
        run(["inspect", "data.csv", "--text", "text", "--page", "page.html"]),
    ]
    run(["adapt", PAYLOADS[5]])
    run(["adapt", "data.csv", "--text", PAYLOADS[5]])
    after = capsys.readouterr()
    tried("commands", codes == [0, 0, 0], after.err)
    for name, text in (("stdout", shown.out + after.out), ("stderr", shown.err + after.err)):
        steering = {c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in "\u202e\u2066\u2028"}
        tried(f"terminal, {name}", not steering, repr(steering))
    for page in (Path("run/report.html"), Path("page.html")):
        tags = Tags()
        content = page.read_text(encoding="utf-8")
        tags.feed(content)
        tried(
            f"{page}: no scripts",
            not tags.found & {"script", "img", "iframe", "object", "link", "base", "form"},
            str(tags.found),
        )
        tried(
            f"{page}: no handlers",
            not {name for name in tags.attributes if name.startswith("on")},
            str(tags.attributes),
        )
        tried(f"{page}: no steering", not set(content) & set("\x1b\x9b\u202e\u2066\x07"))
    card = Path("run/model/README.md").read_text(encoding="utf-8")
    tried("card: one front matter", card.count("\n---\n") == 1, card[:200])
    out = tmp_path / "predicted.csv"
    tried(
        "predict to a table",
        run(["predict", "run", "--input", "data.csv", "--output", str(out), "--text", "text"]) == 0,
    )
    fields = [field for line in csv.reader(io.StringIO(out.read_text(encoding="utf-8-sig"))) for field in line]
    tried("table", not any(field.lstrip().startswith("=") for field in fields))
    left = {path.name for path in tmp_path.iterdir()} - {"data.csv", "run", "page.html", "predicted.csv"}
    tried(
        "no name from data becomes a path",
        all(name.startswith(".") or name == "ledger.jsonl" for name in left),
        str(left),
    )
