"""Searching with patterns of users: RE2, which takes time in proportion to the text, whatever the pattern.

Python's own engine can take years over a short text; no pattern of a user is given to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from studio_core.base.errors import BadInput

# A list of words joined by bars may be long; compiling grows with it.
LONGEST = 10_000
"""Characters of a pattern."""


class Pattern:
    """``plain``: the text itself is searched for. Raises ``BadInput`` if it is not a pattern of RE2."""

    def __init__(
        self, pattern: str, *, plain: bool = False, ignore_case: bool = False, whole_words: bool = False
    ) -> None:
        if len(pattern) > LONGEST:
            raise BadInput("curation.not_a_pattern", pattern=pattern[:80], reason=f"> {LONGEST} characters")
        source = re.escape(pattern) if plain else pattern
        if whole_words:
            source = rf"(?<!\w){source}(?!\w)" if plain else rf"\b(?:{source})\b"
        # What holds no pattern is safe with Python's engine, which knows the letters of all alphabets.
        self._literal = re.compile(source, re.IGNORECASE if ignore_case else 0) if plain else None
        self._source = f"(?i){source}" if ignore_case else source
        if self._literal is None:
            try:
                # Tried once on nothing: RE2 has no other way to be asked.
                pc.match_substring_regex(pa.scalar(""), self._source)
            except pa.ArrowInvalid as error:
                raise BadInput("curation.not_a_pattern", pattern=pattern[:80], reason=error) from error

    def found(self, texts: Sequence[str]) -> list[bool]:
        if self._literal is not None:
            return [self._literal.search(text) is not None for text in texts]
        found: list[bool] = pc.match_substring_regex(_array(texts), self._source).to_pylist()
        return found

    def check_replacement(self, by: str) -> None:
        """Raises ``BadInput`` if it names groups that the pattern does not have."""
        if self._literal is None:
            try:
                pc.replace_substring_regex(_array(["x"]), self._source, by)
            except pa.ArrowInvalid as error:
                raise BadInput("curation.not_a_replacement", replacement=by[:80], reason=error) from error

    def replaced(self, texts: Sequence[str], by: str) -> list[tuple[str, int]]:
        """Each text with what is found replaced, and how often; ``\\1`` in ``by`` is the first group."""
        if self._literal is not None:
            # A function, so that a backslash in the replacement is a backslash.
            return [self._literal.subn(lambda _: by, text) for text in texts]
        array = _array(texts)
        new = pc.replace_substring_regex(array, self._source, by).to_pylist()
        counts = pc.count_substring_regex(array, self._source).to_pylist()
        return list(zip(new, counts, strict=True))


def _array(texts: Sequence[str]) -> pa.Array:
    # 64-bit offsets: a batch of long texts may pass 2 GB.
    return pa.array(texts, pa.large_string())
