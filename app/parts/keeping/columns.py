"""The columns of a list beside the name: those of everybody, unless its address names others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import table

NOTE = "note"
"""Of every list; shown when somebody asks for it."""


@dataclass(frozen=True)
class Columns:
    """Columns by their names, whose titles are ``<texts><name>``."""

    texts: str
    first: str
    """The column with the name, which is always there."""
    usual: Sequence[str]

    def asked(self, names: str) -> list[str]:
        """Those that an address names, ``state,note``, in the order of the list; empty: the usual ones."""
        wanted = names.split(",")
        return [name for name in (*self.usual, NOTE) if name in wanted]

    def offered(self, language: str, without: Sequence[str] = ()) -> list[tuple[str, str]]:
        """Names and titles to choose from."""
        return [(name, self._title(name, language)) for name in (*self.usual, NOTE) if name not in without]

    def table(self, lines: Sequence[Mapping[str, Any]], asked: Sequence[str], language: str) -> Markup:
        """The lines, each with its cells by the names of columns; a column that they lack is left out."""
        shown = [self.first, *(name for name in asked or self.usual if name in lines[0])]
        heads = [self._title(name, language) for name in shown]
        return table(heads, [[line[name] for name in shown] for line in lines])

    def _title(self, name: str, language: str) -> str:
        return say("keeping.col_note" if name == NOTE else f"{self.texts}{name}", language)


def kept(asked: Sequence[str]) -> dict[str, str]:
    """The parameter of an address that asks for these columns."""
    return {"columns": ",".join(asked)} if asked else {}
