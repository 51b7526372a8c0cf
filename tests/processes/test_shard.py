"""Shards are a part each, together all, however many processes share one of them."""

from __future__ import annotations

import pytest

from homeground.errors import UsageError
from homeground.processes.shard import Shard


@pytest.mark.parametrize("processes", [(1, 1, 1), (2, 2, 2), (1, 2, 4)])
def test_every_thing_is_in_one_part_of_one_shard(processes: tuple[int, ...]) -> None:
    parts = [
        Shard(number, len(processes)).part(part, of)
        for number, of in enumerate(processes, 1)
        for part in range(1, of + 1)
    ]
    for place in range(100):
        assert sum(part.has(place) for part in parts) == 1


@pytest.mark.parametrize("written", ["0/2", "3/2", "2", "a/2", "1/0", "-1/2", "1/2/3", ""])
def test_what_is_no_shard_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="expected NUMBER/OF"):
        Shard.parse(written)
