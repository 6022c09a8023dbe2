"""One export: ``python -m jobs.worker RUN_DIR`` with an ``ExportRun`` in ``spec.json``.

First the original answers, then the files are written, then they answer: one model is in memory at a time. The folder
``export/`` appears when all of it is there, with ``manifest.json``.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path

from jobs.export.answering import Original, Work, compare
from jobs.generation import contents
from jobs.machine import peak_memory
from jobs.progress import Progress
from studio_core import exports
from studio_core.base.atomic import read_json, whole_folder, write_json
from studio_core.exports.manifest import ExportedFile, Manifest
from studio_core.runs.run_folder import EXPORT, MANIFEST, SPEC, EventWriter
from studio_core.runs.spec import ExportRun, ResolvedModel

_LIBRARIES = ("torch", "transformers", "peft", "safetensors", "gguf", "xllamacpp")
_CHUNK = 1 << 22


def main(run_dir: Path) -> None:
    began = time.monotonic()
    run = ExportRun.model_validate(read_json(run_dir / SPEC))
    events = EventWriter(run_dir)
    format = exports.named(run.spec.format)
    twin = import_module(f"jobs.export.{format.name}")
    progress = Progress(events)
    work = Work(run, format.checked(run.options), progress)
    events.write("phase", phase="loading")
    original = Original.of(work)
    with whole_folder(run_dir / EXPORT) as folder:
        events.write("phase", phase="exporting")
        writing = time.monotonic()
        details = twin.write(work, folder)
        seconds = time.monotonic() - writing
        events.write("phase", phase="comparing")
        # Also of no question: that the files can be loaded, and text is split as it should be, is tried always.
        answers = twin.answers(work, folder, original)
        progress.last()
        manifest = Manifest(
            format=format.name,
            options=run.options,
            model=run.model.name,
            made_by=run.made_by,
            base=Path(run.model.path).name,
            adapter=run.model.adapter is not None,
            source=source_of(run.model),
            files={file.name: described(file) for file in sorted(folder.iterdir())},
            details=details,
            versions={
                "tunesmith": run.studio,
                **{name: metadata.version(name) for name in (*_LIBRARIES, *format.libraries)},
            },
            created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            seconds=round(seconds, 3),
            parity=compare(work, original, answers) if run.prompts else None,
        )
        write_json(folder / MANIFEST, manifest.model_dump())
    events.write(
        "result",
        state="succeeded",
        step=progress.done,
        total_steps=progress.total,
        seconds=round(time.monotonic() - began, 2),
        peak_memory=peak_memory(),
    )


def source_of(model: ResolvedModel) -> dict[str, str]:
    """SHA-256 of the files that say what the model answers."""
    base = dict(contents.hashes(Path(model.path)))
    own = contents.hashes(Path(model.adapter)) if model.adapter else []
    return base | {f"adapter/{name}": sha256 for name, sha256 in own}


def described(file: Path) -> ExportedFile:
    sha256, crc32 = hashlib.sha256(), 0
    with open(file, "rb") as opened:
        while part := opened.read(_CHUNK):
            sha256.update(part)
            crc32 = zlib.crc32(part, crc32)
    return ExportedFile(size=file.stat().st_size, sha256=sha256.hexdigest(), crc32=crc32)
