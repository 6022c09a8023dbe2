"""What is looked for in a dataset, checked before anything is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from studio_core.base.errors import BadInput
from studio_core.browse import record_sql

RANGES = ("characters", "prompt_characters", "answer_characters", "words", "turns", "quality")
"""Features that have a lowest and a highest value."""
SORTS = ("row", *RANGES)
# A paragraph that was pasted in is found by its beginning as well.
LONGEST = 1_000
"""Characters of what is searched for."""

_TERM = re.compile(r'"([^"]*)"|(\S+)')
# Each word is one more pass over the texts; a sentence of twelve words is narrower as a phrase.
_TERMS = 12


@dataclass(frozen=True)
class Query:
    """What is looked for; empty: every record, as they are stored."""

    search: str = ""
    """Words that must all stand in the record, as parts of words too; ``"in quotes"`` as written. Case is ignored."""
    regex: str = ""
    """A regular expression (RE2) that some text of the record matches."""
    columns: tuple[tuple[str, str], ...] = ()
    """``(column, text)``: the column holds the text; of a column of marks, ``true`` or ``false``."""
    language: str = ""
    findings: tuple[str, ...] = ()
    """At least one of these findings."""
    clean: bool = False
    """Only records without any finding."""
    ranges: tuple[tuple[str, float | None, float | None], ...] = ()
    """``(feature, at least, at most)``; features are ``RANGES``."""
    sort: str = "row"
    descending: bool = False

    @property
    def needs_report(self) -> bool:
        """Whether it asks for what only the report knows."""
        asked = self.language or self.findings or self.clean or self.ranges
        return bool(asked) or self.sort in RANGES

    @property
    def reads_texts(self) -> bool:
        return bool(self.terms or self.regex or self.columns)

    @property
    def terms(self) -> tuple[str, ...]:
        """What must be found, each for itself, in any letter case."""
        return tuple(quoted or word for quoted, word in _TERM.findall(self.search) if quoted or word)

    def check(self, schema: pa.Schema) -> None:
        """Raise ``BadInput`` for what cannot be asked of records with these columns."""
        for text in (self.search, self.regex, self.language, *self.findings, *(t for _, t in self.columns)):
            if len(text) > LONGEST:
                raise BadInput("browse.search_too_long", characters=len(text), most=LONGEST)
        if len(self.terms) > _TERMS:
            raise BadInput("browse.too_many_words", words=len(self.terms), most=_TERMS)
        for name, text in self.columns:
            _check_column(name, text, schema)
        for name, low, high in self.ranges:
            if name not in RANGES:
                raise BadInput("browse.feature_unknown", name=name[:80], known=", ".join(RANGES))
            if low is not None and high is not None and low > high:
                raise BadInput("browse.range_empty", name=name, low=f"{low:g}", high=f"{high:g}")
        if self.sort not in SORTS:
            raise BadInput("browse.feature_unknown", name=self.sort[:80], known=", ".join(SORTS))


def _check_column(name: str, text: str, schema: pa.Schema) -> None:
    if name not in schema.names:
        raise BadInput("browse.column_unknown", name=name[:80], known=", ".join(schema.names)[:500])
    type = schema.field(name).type
    if pa.types.is_boolean(type):
        if text not in ("true", "false"):
            raise BadInput("browse.not_a_mark", name=name, value=text[:80])
    elif not record_sql.has_texts(type):
        raise BadInput("browse.column_without_text", name=name)
