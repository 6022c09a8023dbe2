"""A run handed over by a click: the folder as one ZIP file, and what its README says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from studio_core import handover
from studio_core.base.studio import Studio
from studio_core.handover import readme
from studio_core.handover.writing import hand_over
from studio_core.runs import queue
from studio_core.runs.spec import RunSpec


def folder_name(run: int, trainer: str) -> str:
    return f"run-{run}-{trainer}"


def pack(studio: Studio, run: int, trainer: str, target: Path) -> None:
    """Write the folder as a ZIP file, itself the only entry at its top. Raises ``BadInput`` as ``hand_over``."""
    name = folder_name(run, handover.named(trainer).name)
    with tempfile.TemporaryDirectory(dir=studio.settings.uploads) as place:
        hand_over(studio, run, handover.named(trainer), Path(place) / name)
        packed = shutil.make_archive(str(Path(place) / "packed"), "zip", place, name)
        Path(packed).replace(target)


def read_me(studio: Studio, run: int, trainer: str, language: str) -> str:
    """The README of the folder in a language, in Markdown; all of it is written and thrown away.

    Raises ``BadInput`` as ``hand_over``.
    """
    with tempfile.TemporaryDirectory(dir=studio.settings.uploads) as place:
        written = hand_over(studio, run, handover.named(trainer), Path(place) / folder_name(run, trainer))
    spec = RunSpec.model_validate(queue.get(studio, run).spec["run"])
    return readme.text_of(written, handover.named(trainer), spec, language)
