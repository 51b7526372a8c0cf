"""What a file seems to be is known by its first bytes and shown as it reads; without evidence nothing is said."""

from __future__ import annotations

import gzip
import io
import random
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from homeground.data.evidence.encodings import likely_encodings, mojibake
from homeground.data.tables import read_table
from homeground.errors import DataError


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return stream.getvalue()


def array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(3))
    return stream.getvalue()


CONTAINERS = {
    "data.feather": (
        b"FEA1\0\0\0\0",
        r'is a Feather file.*; convert it: pandas.read_feather\("data.feather"\).to_json',
    ),
    "data.docx": (zipped("[Content_Types].xml", "word/document.xml"), r"is a Word document \(.docx\)"),
    "data.zip": (zipped("a.csv", "b.csv"), 'is a zip archive of "a.csv", "b.csv"; unpack it and give the file inside'),
    "data.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), r"an old Excel or Word file"),
    "data.bz2": (b"BZh91AY&SY", "is compressed by bzip2; unpack it"),
    "data.csv.zst": (b"\x28\xb5\x2f\xfd\x00", "is compressed by zstd"),
    "data.tar": (tarred(), "is a tar archive; unpack it"),
    "data.tar.gz": (gzip.compress(tarred(), mtime=0), "is a tar archive; unpack it"),
    "data.jsonl.gz": (gzip.compress(b"ORC\x15\x04", mtime=0), "is an ORC file"),
    "data.npy": (array(), "is a NumPy array"),
    "data.pkl": (b"\x80\x04\x95\x10\x00", "is a Python pickle, which can run code"),
    "data.txt": (b"%PDF-1.7\n", "is a PDF; save its text"),
    "data.json": (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS.*: git lfs pull"),
    "page.csv": (
        b"\xef\xbb\xbf\n<!DOCTYPE html><head><title>Sign in</title>",
        'is a web page, "Sign in", not the data',
    ),
    "page.jsonl": (b"<HTML><body>404</body>", "is a web page, not the data"),
    "feed.csv": (b'<?xml version="1.0"?><a/>', "is XML; export it"),
    "data": (gzip.compress(b"text\na\n", mtime=0), "holds gzip data; add .gz to its name"),
    "noise.csv": (bytes(range(256)) * 4, "holds binary data and no text"),
}


@pytest.mark.parametrize(
    ("name", "content", "problem"), [(name, *each) for name, each in CONTAINERS.items()], ids=list(CONTAINERS)
)
def test_a_file_that_is_no_text_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=problem) as refused:
        read_table(tmp_path / name)
    assert "--encoding" not in str(refused.value) and "--format" not in str(refused.value)


def test_a_database_is_named(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data.csv") as database:
        database.execute("create table a (b)")
    with pytest.raises(DataError, match="is an SQLite database; export it as CSV"):
        read_table(tmp_path / "data.csv")


READINGS = {
    "German": ("Der Händler lieferte pünktlich, großartig! Süße Möbel", ("cp1252", "mac-roman", "cp850")),
    "French": ("L'été dernier, la réponse créée était à l'hôtel, où ça coûte", ("cp1252",)),
    "Spanish": ("¿Cuándo llegará el niño? Mañana, según él. La canción", ("cp1252", "mac-roman")),
    "Finnish": ("Päällä on lämmin sää tänään, käsittely öljyä, hyvää yötä", ("cp1252",)),
    "Icelandic": ("Það er góður dagur í dag, ég þekki ekki veðrið á Íslandi", ("cp1252",)),
    "Polish": ("Dziękuję bardzo, proszę się nie śmiać, żółta łąka", ("cp1250", "iso8859-2")),
    "Czech": ("Příliš žluťoučký kůň úpěl ďábelské ódy. Mám se dobře", ("cp1250", "iso8859-2")),
    "Hungarian": ("Árvíztűrő tükörfúrógép, köszönöm szépen, őszintén", ("cp1250",)),
    "Turkish": ("Teşekkür ederim, ığdır çok güzel, şehir İstanbul ışık", ("cp1254",)),
    "Lithuanian": ("Ačiū, šiandien gražu, ąžuolas žąsis įdomu ūkis", ("cp1257",)),
    "Russian": ("Магазин доставил вовремя, качество ужасное", ("cp1251", "koi8-r", "cp866", "iso8859-5")),
    "Greek": ("Καλημέρα, ευχαριστώ πολύ, το κατάστημα είναι καλό", ("cp1253",)),
    "Hebrew": ("שלום, תודה רבה, החנות טובה מאוד", ("cp1255",)),
    "Arabic": ("شكرا جزيلا، المتجر جيد جدا والخدمة ممتازة", ("cp1256",)),
    "Thai": ("ขอบคุณมาก ร้านนี้ดีมาก อาหารอร่อย", ("cp874",)),
    "Chinese": ("送货太慢了，包装也破损", ("gb18030", "gbk")),
    "Chinese, traditional": ("這家店的服務很好，下次會再來", ("big5",)),
    "Japanese": ("このお店のサービスはとても良いです。また来ます", ("cp932", "euc-jp")),
    "Korean": ("배송이 너무 늦고 포장이 찢어졌어요", ("cp949",)),
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(text, each, id=f"{name} {each}")
        for name, (text, encodings) in READINGS.items()
        for each in encodings
    ],
)
def test_the_first_encoding_that_is_named_reads_the_text_as_it_is_and_shows_it(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(f'text,label\n"{text}",1\n'.encode(encoding))
    with pytest.raises(DataError, match="try --encoding ") as refused:
        read_table(path)
    hint = str(refused.value).split("try --encoding ")[1]
    named, sample = hint.split(", ")[0], hint.split("which reads ")[1]
    assert [row.values["text"] for row in read_table(path, encoding=named).rows] == [text]
    first = next(place for place, mark in enumerate(text) if not mark.isascii())
    assert text[max(first - 10, 0) : first + 10].strip() in sample


def test_no_encoding_is_named_without_evidence(tmp_path: Path) -> None:
    noise = bytes(random.Random(0).choices(range(32, 256), k=400)).replace(b'"', b"'")
    assert likely_encodings(noise, 3) == []
    (tmp_path / "data.csv").write_bytes(b"text\n" + noise)
    with pytest.raises(DataError, match="no usual encoding makes plausible text of it"):
        read_table(tmp_path / "data.csv")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1251", "gb18030"])
def test_a_named_encoding_that_would_make_mojibake_of_utf_8_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "data.csv").write_text("text,label\nschön,1\nпривет,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="utf-8"):
        read_table(tmp_path / "data.csv", encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark_or_its_nuls_whatever_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "data.csv").write_text("text,label\nschön,1\n", encoding=encoding)
    for named in ("utf-8", "latin-1"):
        with pytest.raises(DataError, match=f"--encoding {encoding}"):
            read_table(tmp_path / "data.csv", encoding=named)
    assert next(iter(read_table(tmp_path / "data.csv", encoding=encoding).rows)).values["text"] == "schön"


def test_text_that_was_decoded_wrongly_before_is_noted_and_other_text_is_not(tmp_path: Path) -> None:
    good = "text,label\n" + "der Händler war schön – großartig,1\n" * 5
    (tmp_path / "good.csv").write_text(good, encoding="utf-8")
    (tmp_path / "twice.csv").write_text(good.encode().decode("cp1252"), encoding="utf-8")
    assert read_table(tmp_path / "good.csv").notes == ()
    (note,) = read_table(tmp_path / "twice.csv").notes
    assert "mojibake" in note and "HÃ¤ndler stands for Händler" in note
    assert mojibake("À la carte, São Paulo, Ã bon") is None


def test_nuls_are_counted_with_the_line_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"text,label\n" + b"a longer text,1\n" * 5 + b"a\0b\0,1\n")
    table = read_table(tmp_path / "data.csv")
    assert table.notes == (
        f"{tmp_path}/data.csv: holds 2 NUL characters, the first on line 7, which are kept as part of the text",
    )
    assert list(table.rows)[-1].values["text"] == "a\0b\0"
