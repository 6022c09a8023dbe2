"""What all parts of the studio have in common that have options: methods, tunings, operations on data."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import BaseModel

from studio_core.options.declaration import OptionField, fields


class Part(ABC):
    """One part, which is one file. Its title is a text, ``title_key``; a line on what it is ``....help``."""

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
