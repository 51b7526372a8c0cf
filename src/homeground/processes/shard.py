"""A shard: the part of a work that one of several processes or machines does."""

from __future__ import annotations

from dataclasses import dataclass

from homeground.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """``number`` of ``of`` shards, from 1: every ``of``-th thing from it on."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, written: str, *, option: str = "--shard", what: str = "files") -> Shard:
        """Return the shard written as ``2/8``.

        Raises:
            UsageError: it is written otherwise, or there is no such shard.
        """
        number, separator, of = written.partition("/")
        if not (separator and number.isdecimal() and of.isdecimal()) or not 1 <= int(number) <= int(of):
            raise UsageError(
                f"{option} {written}: expected NUMBER/OF, from 1/4 to 4/4 for a quarter of the {what} each"
            )
        return cls(int(number), int(of))

    def part(self, number: int, of: int) -> Shard:
        """Return one of ``of`` parts of this shard, numbered from 1.

        >>> [place for place in range(12) if Shard(2, 3).part(1, 2).has(place) or Shard(2, 3).part(2, 2).has(place)]
        [1, 4, 7, 10]
        """
        return Shard(self.number + (number - 1) * self.of, self.of * of)

    def has(self, place: int) -> bool:
        """Return whether the thing at a place, from 0, is in it.

        >>> [place for place in range(6) if Shard(2, 3).has(place)]
        [1, 4]
        """
        return place % self.of == self.number - 1


WHOLE = Shard()
"""All of it."""
