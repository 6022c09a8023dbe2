"""Every error that a user can meet.

An error carries a key of the text catalogue and the values that its sentence
quotes, so that the command line prints it in English and a page in the
reader's language. The sentence says what happened, and what to do next.
"""

from __future__ import annotations

from typing import Any

from studio_core import texts


class StudioError(Exception):
    """Something failed that is not the user's doing. The command line exits with 1."""

    exit_code = 1

    def __init__(self, key: str, **values: Any) -> None:
        self.key = key if "." in key else f"errors.{key}"
        self.values = values
        super().__init__(self.key)

    def sentence(self, language: str = texts.DEFAULT_LANGUAGE) -> str:
        said = texts.text(self.key, language, **self.values)
        # Names and texts of files may hold what no page can show: halves of characters.
        return said.encode("utf-8", "replace").decode()

    def __str__(self) -> str:
        return self.sentence()


class BadInput(StudioError):
    """What was asked for cannot be done as asked. The command line exits with 2."""

    exit_code = 2


class NotFound(BadInput):
    """The thing that was named does not exist."""


class Conflict(BadInput):
    """The thing is in a state in which this cannot be done."""
