from __future__ import annotations

import io
import os
import sys

import pytest

from homeground.reports.layout import laid_out, table, width_of
from homeground.wording import aligned, display_width, fitted, wrapped

SENTENCE = "HELPED: accuracy 0.490 before and 0.510 after on 239 test texts, a difference of +0.021."


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("text", [SENTENCE, "这家店的外卖很好吃，送得也快，下次还会再来。" * 4, "价格 price 不贵 " * 9])
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert max(map(display_width, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_long_word_stays_whole_and_what_follows_a_topic_is_indented() -> None:
    path = "runs/a-very-long-name-of-a-folder-that-does-not-fit/report.html"
    assert laid_out([f"report  {path}"], 40) == ["report", f"        {path}"]
    assert laid_out(["advice  keep the checkpoint as it is"], 24) == [
        "advice  keep the",
        "        checkpoint as it",
        "        is",
    ]
    assert laid_out([SENTENCE], None) == [SENTENCE]


def test_columns_of_a_table_are_as_wide_as_a_terminal_shows_them() -> None:
    lines = aligned([["", "score"], ["价格", "0.5"], ["food", "0.25"]])
    assert {display_width(line) for line in lines} == {4 + 2 + 5}
    assert display_width(fitted("价格 price", 6)) <= 6


def test_a_table_fits_the_width_in_blocks() -> None:
    rows = [["", "before", "after", "TF-IDF", "frozen embeddings"], ["accuracy", "0.5", "0.6", "0.7", "0.8"]]
    assert len(table(rows, None)) == 2
    narrow = table(rows, 30)
    assert max(map(len, narrow)) <= 30
    assert "".join(narrow).count("accuracy") == narrow.count("") + 1


def test_only_a_terminal_has_a_width_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of(io.StringIO()) is None
    assert width_of(None) is None
    assert width_of(Terminal()) == 80  # it has no descriptor to ask
    monkeypatch.setenv("COLUMNS", "72")
    assert width_of(io.StringIO()) == 72
    monkeypatch.setenv("COLUMNS", "wide")
    assert width_of(io.StringIO()) is None


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_the_width_of_a_terminal_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import struct
    import termios

    monkeypatch.delenv("COLUMNS", raising=False)
    _, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with os.fdopen(terminal, "w", encoding=sys.getdefaultencoding()) as stream:
        assert width_of(stream) == 100
