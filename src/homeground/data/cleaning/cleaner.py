"""A cleaner: the steps that a recipe names, in order, as they are applied and saved with a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from homeground.data.cleaning.steps import CLEANING, PRESETS, Step, make_step
from homeground.errors import CheckpointError, UsageError, nearest

CLEANING_VERSION = 1
"""Version of what the steps do: a model that learned from cleaned texts must be given texts cleaned in the same way."""


def expand_steps(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of steps, with those of a preset in its place.

    Raises:
        UsageError: a name is none, or comes twice.

    >>> expand_steps(["light", "lowercase"])
    ('fix_encoding', 'strip_html', 'normalize_width', 'collapse_whitespace', 'lowercase')
    """
    steps: list[str] = []
    for name in names:
        if name not in CLEANING and name not in PRESETS:
            raise UsageError(f"--clean: got {name!r}; {nearest(name, [*PRESETS, *CLEANING])}")
        steps += PRESETS.get(name, (name,))
    if twice := [name for place, name in enumerate(steps) if name in steps[:place]]:
        raise UsageError(f"--clean names {twice[0]} twice; give it once, where it belongs in the order")
    return tuple(steps)


@dataclass(frozen=True)
class Cleaner:
    """Changes texts by an ordered list of steps; without steps it changes nothing."""

    steps: tuple[str, ...] = ()
    language: str | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, where: str) -> Cleaner:
        """Return the cleaner that a saved model names in its homeground.json.

        Raises:
            CheckpointError: it was saved by a newer version, or has steps that are not known.
        """
        if int(settings.get("version", 0)) > CLEANING_VERSION:
            raise CheckpointError(
                f"{where}: its texts were cleaned by version {settings['version']} of the steps, and this Homeground "
                f"has version {CLEANING_VERSION}; install a newer Homeground"
            )
        steps = tuple(settings.get("steps", ()))
        if unknown := [name for name in steps if name not in CLEANING]:
            raise CheckpointError(f"{where}: unknown step of cleaning {unknown[0]!r}; known are {', '.join(CLEANING)}")
        return cls(steps, settings.get("language"))

    def settings(self) -> dict[str, Any]:
        """Return what homeground.json says of it."""
        return {"version": CLEANING_VERSION, "steps": list(self.steps), "language": self.language}

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __str__(self) -> str:
        return ", ".join(self.steps)

    @property
    def moving(self) -> list[str]:
        """The steps that move characters, so that marked spans would no longer be right."""
        return [name for name in self.steps if not CLEANING[name].keeps_places]

    @cached_property
    def _functions(self) -> list[Step]:
        return [make_step(name, self.language) for name in self.steps]

    def require(self) -> None:
        """Raise UsageError where a step lacks its library or has nothing for the language."""
        assert len(self._functions) == len(self.steps)

    def clean(self, text: str) -> str:
        """Return a text, cleaned."""
        for function in self._functions:
            text = function(text)
        return text
