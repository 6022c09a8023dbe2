"""A new name of a model or a dataset where specs of jobs say the old one: what is duplicated must still be found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from studio_core.base.tables import Job


def follow(session: Session, fields: Sequence[str], before: str, after: str) -> None:
    """Put ``after`` in the place of ``before`` (or ``before@VERSION``) in these fields of all specs."""
    # A coarse look by SQL, at the text as JSON escapes it: of thousands of specs a few are worth reading.
    holds = cast(Job.spec, String).contains(json.dumps(before)[1:-1], autoescape=True)
    for job in session.scalars(select(Job).where(holds)):
        wish = {name: _renamed(job.spec[name], before, after) for name in fields if name in job.spec}
        if sweep := job.spec.get("sweep"):
            wish["sweep"] = _renamed_in_sweep(sweep, fields, before, after)
        if any(job.spec[name] != value for name, value in wish.items()):
            job.spec = {**job.spec, **wish}


def _renamed(value: Any, before: str, after: str) -> Any:
    """The value with the name changed, at any depth of lists and mappings; names of roles stay."""
    if isinstance(value, list):
        return [_renamed(one, before, after) for one in value]
    if isinstance(value, dict):
        return {key: _renamed(one, before, after) for key, one in value.items()}
    name, at, rest = value.partition("@") if isinstance(value, str) else ("", "", "")
    return f"{after}{at}{rest}" if name == before else value


def _renamed_in_sweep(
    sweep: dict[str, Any], fields: Sequence[str], before: str, after: str
) -> dict[str, Any]:
    """What a run knows of its sweep, with the name changed in its values and in those that are still to be drawn."""

    def tried(values: dict[str, Any]) -> dict[str, Any]:
        return {name: _renamed(one, before, after) if name in fields else one for name, one in values.items()}

    search = sweep.get("search")
    drawn = {"search": {**search, "values": tried(search["values"])}} if search else {}
    return {**sweep, "values": tried(sweep["values"]), **drawn}
