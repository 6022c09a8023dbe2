"""What a folder, or a model of the Hub, is and whether it can be used here: told before anything is fetched or kept.

Of a folder all that ``inspect`` reads; of a model of the Hub its configuration and the list of its files.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, or_, select

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models import hub, registry
from studio_core.models.architectures import supported
from studio_core.models.hub import HUB_NAME, OnHub
from studio_core.models.inspect import Inspected, inspect
from studio_core.models.own_code import Consent
from studio_core.people.reach import reach


@dataclass(frozen=True)
class Checked:
    source: str
    """The folder, or the name as the Hub spells it."""
    on_hub: bool
    known_as: str
    """The model of the studio that comes from there already; empty if none does."""
    inspected: Inspected | None
    """None if its files do not say what it is."""
    supported: bool | None
    """Whether the installed transformers can load its architecture; None if that is not known."""
    free: int
    """Bytes that are free where models are kept."""
    download: int = 0
    """Bytes that the Hub would send."""
    licence: str = ""
    gated: str = ""
    """How the Hub gives access: ``auto`` or ``manual``; empty if anybody may have it."""
    problems: list[BadInput] = field(default_factory=list)
    """What stands in the way of adding it."""


def check(studio: Studio, source: str, *, own_code: bool = False) -> Checked:
    """Look into what ``source`` names, and keep nothing. ``own_code``: its Python code is allowed to run.

    Raises ``StudioError`` if there is nothing to look into: no such folder or name, or no answer from the Hub.
    """
    source = source.strip()
    if not source:
        raise BadInput("models.no_source")
    free = shutil.disk_usage(studio.settings.home).free
    if named_on_hub(source):
        return _on_hub(studio, hub.look(source), free, own_code)
    folder = registry.local_folder(source, reach(studio))
    return _folder(studio, folder, free, own_code)


def add(studio: Studio, source: str, *, name: str | None = None, own_code: Consent | None = None) -> Model:
    """Bring in a model that the check has nothing against; else its first problem is raised."""
    source = source.strip()
    # A folder is inspected by the registry itself; what is there already need not be looked up.
    if named_on_hub(source) and not _known_as(studio, source=source):
        checked = check(studio, source, own_code=own_code is not None)
        if checked.problems:
            raise checked.problems[0]
    return registry.add(studio, source, name=name, own_code=own_code)


def named_on_hub(source: str) -> bool:
    """Whether this names a model of the Hub; a folder of this name wins over it."""
    return bool(HUB_NAME.fullmatch(source)) and not Path(source).expanduser().exists()


def _folder(studio: Studio, folder: Path, free: int, own_code: bool) -> Checked:
    found: Inspected | None = None
    problems: list[BadInput] = []
    try:
        # Whether its code may run is told below, beside all else.
        found = inspect(folder, trust_remote_code=True)
    except BadInput as error:
        problems.append(error)
    known = supported(found.architecture) if found else None
    return Checked(
        source=str(folder),
        on_hub=False,
        known_as=_known_as(studio, path=str(folder)),
        inspected=found,
        supported=known,
        free=free,
        problems=problems + _against(found, known, str(folder), own_code),
    )


def _on_hub(studio: Studio, told: OnHub, free: int, own_code: bool) -> Checked:
    found, name = told.inspected, told.name
    known = supported(found.architecture) if found else None
    problems: list[BadInput] = []
    if told.closed:
        problems.append(BadInput("models.hub_closed", model=name))
    elif told.adapter_of:
        problems.append(BadInput("models.only_adapter", path=name, base=told.adapter_of))
    elif not told.config:
        problems.append(BadInput("models.no_config", path=name))
    if not told.adapter_of and not told.weights:
        pickled = BadInput("models.pickled", path=name, file=told.pickled)
        problems.append(pickled if told.pickled else BadInput("models.no_weights", path=name))
    if not told.adapter_of and not told.tokenizer:
        problems.append(BadInput("models.no_tokenizer", path=name))
    if told.download > free:
        problems.append(
            BadInput(
                "models.no_room",
                model=name,
                needed=_gb(told.download),
                free=_gb(free),
                path=studio.settings.home,
            )
        )
    return Checked(
        source=name,
        on_hub=True,
        known_as=_known_as(studio, source=name),
        inspected=found,
        supported=known,
        free=free,
        download=told.download,
        licence=told.licence,
        gated=told.gated,
        problems=problems + _against(found, known, name, own_code),
    )


def _against(found: Inspected | None, known: bool | None, named: str, own_code: bool) -> list[BadInput]:
    """What a model's configuration has in it that it cannot be used here with."""
    if found is None:
        return []
    problems: list[BadInput] = []
    if found.own_code and not own_code:
        problems.append(BadInput("models.remote_code", path=named))
    # Of what brings code of its own nobody knows before that code runs.
    if known is False and not found.own_code:
        problems.append(BadInput("models.unsupported", model=named, architecture=found.architecture))
    return problems


def _known_as(studio: Studio, *, path: str = "", source: str = "") -> str:
    """The name of the model that was brought in from there."""
    # The Hub takes no heed of capitals.
    same = or_(Model.path == path, func.lower(Model.source) == source.lower())
    with studio.db.read() as session:
        query = select(Model.name).where(Model.job_id.is_(None), same).limit(1)
        return session.scalar(query) or ""


def sources(studio: Studio) -> dict[str, str]:
    """The models that were brought in, by where they came from in small letters."""
    with studio.db.read() as session:
        rows = session.execute(select(Model.source, Model.name).where(Model.job_id.is_(None))).all()
    return {source.lower(): name for source, name in rows}


def _gb(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"
