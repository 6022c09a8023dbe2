"""Settings of the whole studio: from the environment, or from the command line.

Every field is read from ``TUNESMITH_<NAME>`` and documented in ``docs/REFERENCE.md``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio_core.errors import BadInput

PREFIX = "TUNESMITH_"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    home: Path = Field(
        default=Path("~/.tunesmith"),
        description="Folder of everything durable: database, datasets, runs, models, uploads, logs.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address on which the page is served. Only loopback addresses are accepted.",
    )
    port: int = Field(default=7860, ge=1, le=65535, description="Port on which the page is served.")
    warm_workers: int = Field(
        default=1,
        ge=0,
        le=8,
        description="Workers kept ready with their imports done, so that a run starts at once. "
        "0 switches this off and saves about 500 MB of memory for each.",
    )
    cpu_runs: int = Field(
        default=1, ge=1, le=64, description="How many trainings may run at once without a GPU."
    )
    gpu_runs: int = Field(default=1, ge=1, le=8, description="How many trainings may share each GPU at once.")
    threads: int = Field(
        default=0, ge=0, le=256, description="Threads of one worker; 0 means the number of cores."
    )
    stop_grace: float = Field(
        default=120.0,
        gt=0,
        description="Seconds that a run has for saving after Stop and save, before it is killed.",
    )
    serve_idle: float = Field(
        default=900.0,
        gt=0,
        description="Seconds without a question after which the chat worker ends and frees its memory.",
    )
    max_upload_mb: int = Field(default=2048, ge=1, description="Largest file that may be uploaded, in MB.")
    model_roots: str = Field(
        default="",
        description="Folders from which local models and data may be read, separated by ':' "
        "(';' on Windows). Empty means your home folder and the data folder.",
    )

    @property
    def database(self) -> Path:
        return self.home / "studio.db"

    @property
    def datasets(self) -> Path:
        return self.home / "datasets"

    @property
    def suites(self) -> Path:
        """Files of evaluations: reports say which records hold what these ask."""
        return self.home / "suites"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def allowed_roots(self) -> list[Path]:
        """Folders under which a path that a user typed may lie, resolved."""
        named = [Path(part) for part in self.model_roots.split(os.pathsep) if part]
        roots = named or [Path.home()]
        return [root.expanduser().resolve() for root in [*roots, self.home, bundled_folder()]]


def bundled_folder() -> Path:
    """``static/`` of this installation: demo models, sample data, css, js."""
    return Path(__file__).resolve().parent.parent / "static"


def load(**given: Any) -> Settings:
    """Settings from ``TUNESMITH_*``, overridden by what is ``given`` and not None.

    Creates the data folder, readable by its owner only.
    """
    values: dict[str, Any] = {
        name: os.environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if os.environ.get(PREFIX + name.upper())
    }
    values.update({name: value for name, value in given.items() if value is not None})
    values["home"] = Path(values.get("home", "~/.tunesmith")).expanduser().resolve()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            "setting_invalid", name=first["loc"][0], value=first["input"], reason=first["msg"]
        ) from error
    for folder in ("", "datasets", "runs", "models", "uploads", "logs"):
        try:
            (settings.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BadInput("home_not_writable", path=settings.home, reason=error.strerror) from error
    return settings
