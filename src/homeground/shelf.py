"""Texts and arrays on the disk: what a large table holds is in files that are gone with the process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", covariant=True)

BYTES_IN_MEMORY = 64 << 20
"""Bytes up to which a growing array stays in memory."""

BYTES_AT_ONCE = 1 << 18
"""Bytes that are written at once, and read at once where texts are asked for one after the other."""

BYTES_OF_ONE = 1 << 12
"""Bytes that are read where texts are asked for here and there."""

LENGTH_BYTES = 4
"""Before each text is its number of bytes, little-endian."""


class Shelf:
    """A temporary file of texts in UTF-8, without a name, which the system removes when the process ends.

    Texts are put and read by one thread at a time.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="homeground-", buffering=0)  # noqa: SIM115 - as long as its texts
        self._written = 0
        self._waiting = bytearray()
        self._block, self._start = b"", 0

    def put(self, texts: Sequence[str]) -> ShelvedTexts:
        """Write texts, and return what reads them.

        Raises OSError where the disk of temporary files is full.
        """
        place = self._written + len(self._waiting)
        for text in texts:
            content = text.encode("utf-8", "surrogatepass")
            self._waiting += len(content).to_bytes(LENGTH_BYTES, "little")
            self._waiting += content
        if len(self._waiting) >= BYTES_AT_ONCE:
            self._write()
        return ShelvedTexts(self, place, len(texts))

    def text(self, place: int) -> tuple[str, int]:
        """Return the text at a place, and the place of the next one."""
        start = place + LENGTH_BYTES
        end = start + int.from_bytes(self._bytes(place, LENGTH_BYTES), "little")
        return self._bytes(start, end - start).decode("utf-8", "surrogatepass"), end

    def _bytes(self, place: int, count: int) -> bytes:
        offset = place - self._start
        if offset < 0 or offset + count > len(self._block):
            if self._waiting:
                self._write()
            goes_on = 0 <= offset <= len(self._block)
            self._file.seek(place)
            self._block = self._file.read(max(count, BYTES_AT_ONCE if goes_on else BYTES_OF_ONE)) or b""
            self._start, offset = place, 0
        return self._block[offset : offset + count]

    def _write(self) -> None:
        waiting = memoryview(bytes(self._waiting))
        self._file.seek(self._written)
        while waiting:
            count = self._file.write(waiting)
            self._written += count
            waiting = waiting[count:]
        self._waiting.clear()


class ShelvedTexts(Sequence[str]):
    """The texts of one example on a shelf; equal to a tuple of the same texts."""

    __slots__ = ("_count", "_place", "_shelf")

    def __init__(self, shelf: Shelf, place: int, count: int) -> None:
        self._shelf, self._place, self._count = shelf, place, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        place = self._place
        for _ in range(self._count):
            text, place = self._shelf.text(place)
            yield text

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if index == 0:
            return self._shelf.text(self._place)[0]
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...]]]:
        return tuple, (tuple(self),)


class GrowingArray:
    """A flat array that is added to; a large one is in a temporary file, which is mapped into memory.

    What ``array`` returned stays as it was when more is added.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._parts = [np.empty(0, dtype)]
        self._file: IO[bytes] | None = None
        self._in_file = self._in_memory = 0

    def __len__(self) -> int:
        return self._in_file + self._in_memory

    def add(self, values: NDArray[Any]) -> None:
        """Add values at the end.

        Raises OSError where the disk of temporary files is full.
        """
        self._parts.append(values.astype(self._dtype, copy=False))
        self._in_memory += len(values)
        if self._in_memory * self._dtype.itemsize >= BYTES_IN_MEMORY:
            self._file = self._file or tempfile.TemporaryFile(prefix="homeground-")  # noqa: SIM115 - as long as it
            for part in self._parts:
                self._file.write(part.tobytes())
            self._move_to_file()

    def _move_to_file(self) -> None:
        self._in_file, self._in_memory = len(self), 0
        self._parts = [np.empty(0, self._dtype)]

    def array(self) -> NDArray[Any]:
        """Return all values."""
        rest = np.concatenate(self._parts)
        self._parts = [rest]
        if self._file is None:
            return rest
        self._file.write(rest.tobytes())
        self._file.flush()
        self._move_to_file()
        return np.memmap(self._file, self._dtype, "r", shape=(self._in_file,))


class Derived(Sequence[Item], Generic[Item]):
    """A sequence whose items are made when they are asked for; a slice of it is a list."""

    def __init__(self, count: int, item: Callable[[int], Item]) -> None:
        self._count, self._item = count, item

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        places = range(self._count)[index]
        return self._item(places) if isinstance(places, int) else [self._item(place) for place in places]
