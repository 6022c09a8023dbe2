"""What all parts of the studio have in common that have options: methods, tunings, operations on data, rewards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from studio_core.options.declaration import OptionField, fields
from studio_core.options.values import checked


class Part(ABC):
    """One part, which is one file. Its title is a text, ``title_key``; a line on what it is ``....help``."""

    name: str
    Options: type[BaseModel]

    @property
    @abstractmethod
    def title_key(self) -> str: ...

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    @property
    def areas(self) -> tuple[str, ...]:
        """Where the texts of its options are: its own, or those that options of that name have everywhere."""
        return (self.title_key, "options")

    @property
    def fields(self) -> list[OptionField]:
        """Its options in the order in which a form shows them."""
        return fields(self.Options, self.areas)

    def checked(self, values: Mapping[str, Any]) -> Any:
        """The values as its ``Options``; raises ``BadInput`` that quotes the option, its value and its range."""
        return checked(self.Options, values, self.name, self.areas)
