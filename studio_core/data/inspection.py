"""What was understood of the files that a user brought, and their rows as records. Stores nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.data import readers
from studio_core.data.archives import Bundle, Found
from studio_core.data.checks import converter
from studio_core.data.columns import columns_of, names_in, placeholders
from studio_core.data.guesses import Guess, for_shape, guess, with_turns_in_text
from studio_core.data.mapping import Mapping
from studio_core.data.notes import Notes
from studio_core.data.reading import arenas, labelled
from studio_core.data.shapes import Record, Shape, texts_of
from studio_core.data.turns import Rejected

# What is wrong shows in far fewer; the list is stored with the version.
LISTED = 1000
"""Rejected rows that are listed; more are only counted."""

# Columns that only later rows have are rare, and a page must not wait for a whole file.
_LOOKED_AT = 200
_WEIGHT = 32 << 20
"""Characters of the first rows that are held at once."""
# Each gets a field on the page.
_PLACEHOLDERS = 20
_SHOWN = 100_000
"""Characters of one text in a sample row."""


@dataclass
class FileSeen:
    """One file of those that make a dataset."""

    source: str
    format: str
    encoding: str
    gzipped: bool
    shape: Shape | None = None
    """What it would be by itself; None if that cannot be told."""
    good: int = 0
    bad: int = 0


@dataclass
class Inspection:
    """What was understood of one file, or of several that make one dataset, before anything is stored."""

    source: str
    format: str
    """Of several files with different ones, all of them: ``csv, jsonl``; so with ``encoding``."""
    encoding: str
    gzipped: bool
    columns: list[str]
    """All columns; those inside of nested objects as paths, ``input.messages``."""
    mapping: Mapping
    guess: Guess
    placeholders: list[str] = field(default_factory=list)
    """Names written ``{{name}}`` for which no value is given."""
    good: int = 0
    bad: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)
    """``{"row", "reason", "code", "values"}`` of the first bad rows; ``reason`` is in English.

    Of several files also ``"file"``; ``row`` counts in each.
    """
    sample_rows: list[Any] = field(default_factory=list)
    """The first rows as the file has them, in what JSON and a page can show."""
    sample_records: list[Record] = field(default_factory=list)
    """The first good rows as they would be stored."""
    files: list[FileSeen] = field(default_factory=list)
    passed_over: list[dict[str, str]] = field(default_factory=list)
    """``{"file", "why"}`` of what was left aside in archives and folders: ``data.passed_<why>``."""
    notes: Notes = field(default_factory=Notes)
    whole: bool = True
    """False: only the first rows were looked at, and ``good`` and ``bad`` count those."""

    @property
    def shape(self) -> Shape:
        return self.mapping.shape

    @property
    def ties(self) -> int:
        """Rows left out since neither of their answers was preferred, which is no fault of theirs."""
        return int(self.notes.kinds.get("ties", {}).get("n", 0))

    def nothing_good(self) -> BadInput:
        if self.reasons:
            return none_good(self.source, self.bad, self.reasons[0])
        return BadInput("data.only_ties", file=self.source, n=self.ties)

    def remarks(self, language: str = texts.DEFAULT_LANGUAGE) -> list[dict[str, Any]]:
        """``{"code", "text"}`` of whatever was guessed with doubt, or read otherwise than it stands."""
        remarks: list[dict[str, Any]] = []
        # Only while the guess stands: what a person has set is not doubted.
        if not self.guess.sure and self.mapping.model_copy(update={"fill": {}}) == self.guess.mapping:
            why = texts.text(self.guess.because, language)
            remarks.append({"code": "doubt", "text": f"{why} {texts.text('data.check_parts', language)}"})
        if self.mapping.turns_in_text:
            named = ", ".join(self.mapping.columns.get(part, part) for part in self.mapping.turns_in_text)
            sentence = texts.text("data.turns_in_text", language, columns=named)
            remarks.append({"code": "turns_in_text", "text": sentence})
        if self.placeholders:
            names = " ".join(f"{{{{{name}}}}}" for name in self.placeholders)
            sentence = texts.text("data.placeholders_found", language, names=names)
            remarks.append({"code": "placeholders", "text": sentence})
        for code, values in self.notes.kinds.items():
            sentence = texts.text(f"data.note_{code}", language, **values)
            remarks.append({"code": code, **values, "text": sentence})
        return remarks


@dataclass
class _Beginning:
    """What the first rows of a file say."""

    file: readers.File
    seen: FileSeen
    columns: list[str]
    rows: list[Any]
    guess: Guess | None
    export: labelled.Export | None


class Reading:
    """The files of one dataset, understood; their records can be read once."""

    def __init__(self, bundle: Bundle, source: str, mapping: Mapping | None, *, limit: int) -> None:
        self._several = len(bundle.files) > 1
        self._mapping = mapping
        # All files are begun before any is read: a file of another shape is told before an hour of work.
        beginnings = [self._begin(found, limit, bundle) for found in bundle.files]
        self._beginnings = [beginning for beginning in beginnings if beginning is not None]
        if not self._beginnings:
            raise BadInput("data.no_rows", file=source)
        columns = list(dict.fromkeys(column for b in self._beginnings for column in b.columns))
        guessed = self._one_guess()
        self.seen = Inspection(
            source=source,
            format=_all_of(b.file.format for b in self._beginnings),
            encoding=_all_of(b.file.encoding for b in self._beginnings),
            gzipped=any(b.file.gzipped for b in self._beginnings),
            columns=columns,
            mapping=with_turns_in_text(mapping, self._rows()) if mapping else guessed.mapping,
            guess=guessed,
            sample_rows=[displayable(row) for row in next(b.rows[:5] for b in self._beginnings if b.guess)],
            files=[b.seen for b in self._beginnings],
            passed_over=bundle.passed_over,
        )
        self._check_templates()

    def _begin(self, found: Found, limit: int, bundle: Bundle) -> _Beginning | None:
        """The file's first rows; None if it holds nothing and others may."""
        try:
            file = readers.recognise(found.path, found.source, limit=limit)
            first = list(_first(readers.rows(file, self._mapping.split if self._mapping else None)))
        except BadInput as error:
            # Of one file alone it is the error; among several an empty one is passed over and named.
            if self._several and error.key == "data.file_empty":
                bundle.pass_over(found.source, "empty")
                return None
            raise
        if not first:
            if self._several:
                bundle.pass_over(found.source, "empty")
                return None
            raise BadInput("data.no_rows", file=file.source)
        rows = [row for _, row in first if isinstance(row, dict)]
        if not rows and not self._several:
            raise none_good(file.source, len(first), reason(*first[0]))
        export = labelled.recognise(rows) or arenas.recognise(rows)
        if export is not None:
            rows = _unfold_rows(export, rows)
        columns = columns_of(rows)
        questions = export.questions if export else ()
        guessed = guess(columns, rows, questions) if rows else None
        shape = guessed.mapping.shape if guessed and not guessed.mapping.missing() else None
        seen = FileSeen(file.source, file.format, file.encoding, file.gzipped, shape)
        # 5,000 files with 200 rows each would be held in memory at once.
        return _Beginning(file, seen, columns, _sample_of(rows) if self._several else rows, guessed, export)

    def _rows(self) -> list[Any]:
        return [row for beginning in self._beginnings for row in beginning.rows]

    def _one_guess(self) -> Guess:
        """The guess for all files; refused are files that hold records of different shapes."""
        told = [(b.seen, b.guess) for b in self._beginnings if b.guess is not None]
        if not told:
            raise BadInput("data.no_good_file", file=self._beginnings[0].file.source)
        best, guessed = next((pair for pair in told if pair[0].shape), told[0])
        for other, _ in told:
            if self._mapping is None and other.shape not in (None, best.shape):
                raise BadInput(
                    "data.shapes_differ",
                    file=best.source,
                    shape=best.shape,
                    other=other.source,
                    other_shape=other.shape,
                )
        # Each file may have further columns that the others lack.
        if guessed.mapping.shape is Shape.PROMPT_ONLY and self._several:
            keep = dict.fromkeys(column for _, one in told for column in one.mapping.keep)
            guessed = replace(guessed, mapping=guessed.mapping.model_copy(update={"keep": list(keep)}))
        if self._several:
            anew = guessed.mapping.model_copy(update={"turns_in_text": None})
            guessed = replace(guessed, mapping=with_turns_in_text(anew, self._rows()))
        return guessed

    def _check_templates(self) -> None:
        mapping = self.seen.mapping
        for part, template in mapping.templates.items():
            for name in names_in(template):
                if name not in mapping.fill and name not in self.seen.columns:
                    columns = ", ".join(self.seen.columns)[:500]
                    raise BadInput("data.template_column", part=part, name=name, columns=columns)

    def records(self, first: int | None = None) -> Iterator[Record]:
        """The good rows of all files as records; the bad ones are counted and listed in ``seen``.

        With ``first`` only so many rows are read, good and bad ones.
        """
        for beginning in self._beginnings:
            yield from self._records_of(beginning, first)

    def bytes_read(self) -> tuple[int, int]:
        """How much of the files has been read, and how much they hold together, as they lie on the disk."""
        done = whole = 0
        for beginning in self._beginnings:
            size = beginning.file.path.stat().st_size
            whole += size
            # The compressed bytes: how far the unpacked ones go is not known beforehand.
            if beginning.file.streams:
                done += min(size, beginning.file.streams[-1].tell())
            elif beginning.seen.good or beginning.seen.bad:
                done += size
        return done, whole

    def to_store(self) -> Iterator[Record]:
        """The good rows as records of a dataset; raises ``BadInput`` if a part has no column, or no row is good."""
        seen = self.seen
        if missing := seen.mapping.missing():
            raise BadInput(
                "data.parts_missing",
                file=seen.source,
                parts=", ".join(missing),
                columns=", ".join(seen.columns)[:500] or "-",
                shape=seen.shape,
            )
        yield from self.records()
        if not seen.good:
            raise seen.nothing_good()

    def _records_of(self, beginning: _Beginning, first: int | None) -> Iterator[Record]:
        seen, one = self.seen, beginning.seen
        mapping = self._mapping_of(beginning)
        convert = converter(mapping, seen.notes)
        file = one.source if self._several else None
        export = beginning.export
        if export is not None:
            seen.notes.add(export.name)
        for number, row in readers.rows(replace(beginning.file, notes=seen.notes), mapping.split):
            # Ties are rows that were read as well.
            if first is not None and seen.good + seen.bad + seen.ties >= first:
                seen.whole = False
                return
            try:
                if isinstance(row, Rejected):
                    raise row
                record = convert(row if export is None else export.unfold(row))
            except (Rejected, RecursionError) as error:
                # A vote for neither side is no fault of the row: it is counted apart.
                if isinstance(error, Rejected) and error.code == "no_preference":
                    seen.notes.add("ties")
                    continue
                one.bad += 1
                seen.bad += 1
                if len(seen.reasons) < LISTED:
                    rejected = error if isinstance(error, Rejected) else Rejected("too_deep")
                    seen.reasons.append(reason(number, rejected, file))
                continue
            one.good += 1
            seen.good += 1
            yield record

    def _mapping_of(self, beginning: _Beginning) -> Mapping:
        """The mapping for one of the files: where its columns have other names, its own of the same shape."""
        mapping = self.seen.mapping
        lacking = set(mapping.columns.values()) - set(beginning.columns)
        if not self._several or not lacking:
            return mapping
        # A folder may mix files of two sources: ``question`` here, ``instruction`` there.
        own = for_shape(mapping.shape, beginning.columns, beginning.rows)
        if own.missing() or not all(column in lacking for column in mapping.columns.values()):
            return mapping
        return own.model_copy(
            update={
                "constants": mapping.constants,
                "fill": mapping.fill,
                "keep": mapping.keep,
                "split": mapping.split,
                "turns_in_text": mapping.turns_in_text,
            }
        )

    def looked_through(self, first: int | None = None) -> Inspection:
        """What is known after all rows were read, or the ``first`` ones."""
        if self.seen.mapping.missing():
            return self.seen
        names: dict[str, None] = {}
        for record in self.records(first):
            # As many as a page shows.
            if len(self.seen.sample_records) < 20:
                self.seen.sample_records.append(record)
            if len(names) < _PLACEHOLDERS:
                names.update(dict.fromkeys(placeholders(texts_of(record))))
        self.seen.placeholders = list(names)
        return self.seen


def _unfold_rows(export: labelled.Export, rows: list[Any]) -> list[Any]:
    unfolded = []
    for row in rows:
        try:
            unfolded.append(export.unfold(row))
        except (Rejected, RecursionError):
            continue  # It is counted and listed when all rows are read.
    return unfolded


def _first(numbered: readers.Rows) -> Iterator[tuple[int, Any]]:
    """The first rows, fewer if they are huge."""
    weight = 0
    for number, row in islice(numbered, _LOOKED_AT):
        yield number, row
        weight += _weight(row)
        # Rows of 16 MB are allowed, and 200 of them would be 3 GB.
        if weight > _WEIGHT:
            return


def _sample_of(rows: list[Any]) -> list[Any]:
    """A few rows by which the columns of one file of many can be told, with the beginnings of their texts."""
    kept: list[Any] = []
    # 20 rows and 500 signs tell what a column holds.
    for row in rows[:20]:
        if sum(map(_weight, kept)) > 100_000:
            break
        kept.append(displayable(row, characters=500))
    return kept


def _weight(value: Any, depth: int = 50) -> int:
    """Characters of a value, roughly."""
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    # What Python needs for a value, roughly. Deeper than 50 nothing is
    # counted: it may be nested a thousand times.
    return 64 + (sum(_weight(item, depth - 1) for item in inner) if depth else 0)


def _all_of(names: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(name for name in sorted(names) if name))


def reason(number: int, rejected: Rejected, file: str | None = None) -> dict[str, Any]:
    """Why a row was left out, as it is listed."""
    values = {name: displayable(value) for name, value in rejected.values.items()}
    sentence = texts.text(f"data.row_{rejected.code}", **values)
    said: dict[str, Any] = {"row": number, "reason": sentence, "code": rejected.code, "values": values}
    return said if file is None else {"file": file, **said}


def displayable(value: Any, depth: int = 20, characters: int = _SHOWN) -> Any:
    """A value of a row as JSON that any page can show: bytes that are no text become marks."""
    if isinstance(value, str):
        return value[:characters].encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict) and depth:
        # Deeper than 20 levels the rest is shown as text.
        return {
            displayable(str(name)): displayable(inner, depth - 1, characters) for name, inner in value.items()
        }
    if isinstance(value, list | tuple) and depth:
        return [displayable(inner, depth - 1, characters) for inner in value]
    return displayable(str(value), 0, characters)


def none_good(source: str, bad: int, first: dict[str, Any]) -> BadInput:
    return BadInput("data.no_good_rows", file=source, bad=bad, row=first["row"], reason=first["reason"])
