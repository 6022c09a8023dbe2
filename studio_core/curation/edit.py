"""Change, delete or add single records, by hand."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.curation.base import Operation, OperationOptions, Source, Work
from studio_core.curation.checked import checker
from studio_core.data.shapes import COLUMNS, Record
from studio_core.data.turns import Rejected
from studio_core.options import option

MOST = 10_000
"""Changes at once."""


class Change(BaseModel):
    """``row`` from 1; without one, the record is added at the end. Without a record, the row is deleted."""

    model_config = ConfigDict(extra="forbid")

    row: int | None = Field(default=None, ge=1)
    record: dict[str, Any] | None = None


class EditOptions(OperationOptions):
    changes: list[Change] = option([], kind="json", advanced=False)

    @model_validator(mode="after")
    def _each_row_once(self) -> EditOptions:
        if not self.changes:
            raise BadInput("curation.no_changes")
        if len(self.changes) > MOST:
            raise BadInput("curation.many_changes", changes=len(self.changes), limit=MOST)
        rows = [change.row for change in self.changes if change.row is not None]
        # Counting is only worth its time once it is known that there is one.
        twice = (
            next((row for row in rows if rows.count(row) > 1), None) if len(set(rows)) < len(rows) else None
        )
        if twice is not None:
            raise BadInput("curation.changed_twice", row=twice)
        if any(change.row is None and change.record is None for change in self.changes):
            raise BadInput("curation.empty_change")
        return self


def run(work: Work, options: EditOptions) -> None:
    changes, added = checked(work.source, options.changes)
    output = work.output()
    for row, record in work.each():
        if row not in changes:
            output.add(record, row)
        elif (new := changes[row]) is not None:
            output.add(new, row)
            work.count("changed", new != record)
        else:
            work.drop("deleted")
            continue
        work.count("kept")
    if not work.stopping():
        for record in added:
            output.add(record)
            work.count("added")


def checked(source: Source, changes: list[Change]) -> tuple[dict[int, Record | None], list[Record]]:
    """New records by row (None: deleted) and those to add; raises ``BadInput`` if one would not pass an import."""
    changes_by_row: dict[int, Record | None] = {}
    added: list[Record] = []
    check = checker(source.shape, source.kept)
    columns = {*COLUMNS[source.shape], *source.kept}
    for change in changes:
        if change.row is not None and change.row > source.rows:
            raise BadInput("curation.no_row", row=change.row, dataset=source.title, rows=source.rows)
        if change.record is None:
            changes_by_row[change.row or 0] = None
            continue
        # The row that it will have: an error names it.
        row = change.row or source.rows + len(added) + 1
        if unknown := next((name for name in change.record if name not in columns), None):
            raise BadInput(
                "curation.edit_column", row=row, column=unknown[:80], known=", ".join(sorted(columns))
            )
        try:
            record = check(change.record)
        except Rejected as rejected:
            reason = texts.text(f"data.row_{rejected.code}", **rejected.values)
            raise BadInput("curation.edit_refused", row=row, reason=reason) from rejected
        for name in source.kept:
            # Further columns hold texts only, as all readers make them.
            if not isinstance(record[name], str | None):
                raise BadInput("curation.edit_text", row=row, column=name)
        if change.row is None:
            added.append(record)
        else:
            changes_by_row[change.row] = record
    return changes_by_row, added


EDIT = Operation(name="edit", Options=EditOptions, run=run, by_record=False, group="clean")
