"""A folder as a table: a text a file, with the folder's name as its label, or a data set of the datasets library."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from homeground.data.formats import TEXT_COLUMN
from homeground.data.opening import open_text, require_file
from homeground.data.sources.held import held_or_streamed
from homeground.data.sources.in_memory import splits_in_memory
from homeground.data.tables import SUFFIXES, Row, Table
from homeground.errors import DataError
from homeground.storage import parse_json
from homeground.wording import count

TEXT_SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst")
"""The endings of names of text files in a folder, in lower case, each also with ``.gz``."""

LABEL_COLUMN = "label"
"""The name of the column that holds the names of folders."""

LEAST_SHARE_LABELLED = 0.9
"""Share of the texts of a folder that are directly in its subfolders, from which these are labels."""

FEWEST_TEXTS_OF_LABEL = 2
"""Texts that such a subfolder has on average, at least."""

DATASET_STATE, DATASET_SPLITS = "state.json", "dataset_dict.json"
"""The files by which a folder is known that ``save_to_disk`` of the datasets library has written."""

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""The usual names of splits, in lower case."""

NAMES_ABOUT_DATA = ("README", "LICENSE", "LICENCE", "CHANGELOG", "NOTICE", "CITATION")
"""Names, in upper case, of files that say something of the data and are none."""

MAX_NAMES_LISTED = 5

Places = Sequence[Path]


def folder_table(path: str, encoding: str, *, at_most: int) -> Table:
    """Return the text files in a folder and below it, in the order of their names, and note which files are none.

    Where nearly all of them are in at least two subfolders, the names of these are their labels. Rows are kept in
    memory where the files have ``at_most`` so many bytes.

    Raises:
        DataError: it holds no text files, or one that cannot be read.
    """
    files, others = _text_files(path)
    labelled = _labelled(path, files)
    if labelled:
        others += [name for place in files if place not in set(labelled) for name in [_name(path, place)]]
        files = labelled
    notes: dict[str, None] = {}
    first_sha256: dict[Path, str] = {}
    rows = _texts(path, files, encoding, with_labels=bool(labelled), notes=notes, first_sha256=first_sha256)
    size = sum(place.stat().st_size for place in files)
    kept = held_or_streamed(path, rows, size, at_most=at_most)
    names = [_name(path, place) for place in files]
    hashes = "\n".join(f"{name} {first_sha256[place]}" for name, place in zip(names, files, strict=True))
    sha256 = hashlib.sha256(hashes.encode()).hexdigest()
    if labelled:
        labels = dict.fromkeys(place.parent.name for place in files)
        notes[f"{path}: the label of a text is the name of its folder: {_some_names(list(labels))}"] = None
    if others:
        verb = "is" if len(others) == 1 else "are"
        why = "not read" if labelled else "no text and not read"
        notes[f"{path}: {count(len(others), 'file')} {verb} {why}: {_some_names(sorted(others))}"] = None
    columns = (TEXT_COLUMN, LABEL_COLUMN) if labelled else (TEXT_COLUMN,)
    return Table(path, "txt", columns, kept, sha256, size, notes=tuple(notes), names=tuple(names))


def is_dataset(folder: Path) -> bool:
    """Return whether a folder holds a data set as ``save_to_disk`` of the datasets library writes it."""
    return (folder / DATASET_STATE).is_file()


def dataset_files(path: str) -> list[str]:
    """Return the Arrow files of a data set in a folder.

    Raises:
        DataError: the folder says of itself what cannot be read, or a file is missing.
    """
    state = _read_json(path, DATASET_STATE)
    entries: Any = state.get("_data_files")
    if not isinstance(entries, list) or not entries:
        raise DataError.at(path, f"names no files of data in {DATASET_STATE}; save it again with save_to_disk")
    names = [str(cast(dict[str, Any], entry).get("filename")) for entry in cast(list[Any], entries)]
    if any(Path(name).name != name for name in names):
        raise DataError.at(path, f"names a file outside of it in {DATASET_STATE}; save it again with save_to_disk")
    for name in names:
        if not (Path(path) / name).is_file():
            raise DataError.at(path, f'lacks the file "{name}" that its {DATASET_STATE} names; copy it whole')
    return [str(Path(path) / name) for name in names]


def splits_of(path: str) -> tuple[dict[str, str], list[str]]:
    """Return the folders of the splits in a folder (train, validation, test), and the names of others in it.

    Of splits in memory they are the names of their tables. There are none where it is no folder of splits: neither a
    ``DatasetDict``, nor one whose subfolders all have the usual names of splits, nor one with a file for each of them.

    Raises:
        DataError: a ``DatasetDict`` without a split for training.
    """
    folder, tables = Path(path), splits_in_memory(path)
    is_dict = bool(tables) or (folder / DATASET_SPLITS).is_file()
    if tables:
        names = list(tables)
    elif is_dict:
        names = [str(name) for name in cast(list[Any], _read_json(path, DATASET_SPLITS).get("splits", []))]
    elif folder.is_dir() and not is_dataset(folder):
        names = sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    else:
        names = []
    splits: dict[str, str] = {}
    for split, usual in SPLIT_NAMES.items():
        matches = [name for word in usual for name in names if name.lower() == word]
        if matches:
            splits[split] = matches[0]
    others = [name for name in names if name not in splits.values()]
    if is_dict and "train" not in splits:
        raise DataError.at(path, f"has the splits {_some_names(names)} and none for training; name one: {path}/NAME")
    if not is_dict and ("train" not in splits or len(splits) < 2 or others):
        return _split_files(folder)
    return {split: tables.get(name, str(folder / name)) for split, name in splits.items()}, others


def _split_files(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the files of a folder that are named as splits, such as ``dev.jsonl``, one for each, and the others in it.

    Files named so beside other texts are texts as well.
    """
    places = sorted(each for each in folder.iterdir() if not each.name.startswith(".")) if folder.is_dir() else []
    if is_dataset(folder) or any(place.is_dir() for place in places):
        return {}, []
    splits: dict[str, str] = {}
    for split, usual in SPLIT_NAMES.items():
        matches = [place for place in places if place.name.split(".")[0].lower() in usual and _is_data(place)]
        if len(matches) > 1:
            return {}, []
        if matches:
            splits[split] = str(matches[0])
    others = [place for place in places if str(place) not in splits.values()]
    if "train" not in splits or len(splits) < 2:
        return {}, []
    if any(_is_text(each) and not _about_the_data(each) for each in others):
        return {}, []
    return splits, [place.name for place in others]


def _is_text(place: Path) -> bool:
    """Return whether a file has the name of a text."""
    return Path(place.name.lower().removesuffix(".gz")).suffix in TEXT_SUFFIXES


def _is_data(place: Path) -> bool:
    """Return whether a file has the name of a table, of texts or of words with tags."""
    return _is_text(place) or Path(place.name.lower().removesuffix(".gz")).suffix in SUFFIXES


def _about_the_data(place: Path) -> bool:
    return place.name.split(".")[0].upper() in NAMES_ABOUT_DATA


def refuse_splits(path: str) -> None:
    """Raise DataError for a folder of splits where one table is wanted."""
    splits, _ = splits_of(path)
    if splits:
        named = ", ".join(f'"{each}"' for each in splits.values())
        raise DataError.at(path, f"holds the splits {', '.join(splits)}; name one of them: {named}")


def _texts(
    path: str,
    files: Places,
    encoding: str,
    *,
    with_labels: bool,
    notes: dict[str, None],
    first_sha256: dict[Path, str],
) -> Callable[[], Iterator[Row]]:
    """Return a function that reads the texts of files; what is odd about them is added to ``notes``."""

    def rows() -> Iterator[Row]:
        for number, place in enumerate(files, start=1):
            require_file(str(place))
            with open_text(str(place), encoding=encoding, markup=True) as opened:
                if first_sha256.setdefault(place, opened.sha256) != opened.sha256:
                    raise DataError.at(str(place), "changed since it was first read; run the command again")
                notes.update(dict.fromkeys(opened.notes))
                values: dict[str, object] = {TEXT_COLUMN: opened.text.read()}
                yield Row(number, values | {LABEL_COLUMN: place.parent.name} if with_labels else values)

    return rows


def _labelled(path: str, files: Places) -> list[Path]:
    """Return the texts that are directly in subfolders, none where these are no labels."""
    inside = [place for place in files if len(place.relative_to(path).parts) == 2]
    folders = Counter(place.parent for place in inside)
    if len(folders) < 2 or len(inside) < FEWEST_TEXTS_OF_LABEL * len(folders):
        return []
    return inside if len(inside) >= LEAST_SHARE_LABELLED * len(files) else []


def _text_files(path: str) -> tuple[list[Path], list[str]]:
    """Return the files with the name of a text below a folder, and the names of the others; hidden ones are neither."""
    below = [place for place in sorted(Path(path).rglob("*")) if place.is_file()]
    below = [place for place in below if not any(part.startswith(".") for part in place.relative_to(path).parts)]
    texts = [place for place in below if _is_text(place)]
    others = [_name(path, place) for place in below if place not in set(texts)]
    if not texts:
        held = f"; it holds {_some_names(others)}" if others else ""
        suffixes = ", ".join(TEXT_SUFFIXES)
        raise DataError.at(
            path, f"is a folder without text files ({suffixes}){held}; give a folder of texts, or a file"
        )
    return texts, others


def _name(path: str, place: Path) -> str:
    return place.relative_to(path).as_posix()


def _some_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES_LISTED} more" if len(names) > MAX_NAMES_LISTED else ""
    return ", ".join(f'"{name}"' for name in names[:MAX_NAMES_LISTED]) + more


def _read_json(path: str, name: str) -> dict[str, Any]:
    try:
        read: Any = parse_json((Path(path) / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError.at(str(Path(path) / name), f"cannot be read ({problem}); save it again") from None
    return cast(dict[str, Any], read) if isinstance(read, dict) else {}
