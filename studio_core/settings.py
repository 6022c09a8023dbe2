"""Settings of the whole studio: from the environment, or from the command line.

Every field is read from ``TUNESMITH_<NAME>`` and documented in ``docs/REFERENCE.md``.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio_core.errors import BadInput
from studio_core.validation import checked

PREFIX = "TUNESMITH_"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    home: Path = Field(
        default=Path("~/.tunesmith"),
        description="Folder of everything durable: database, datasets, runs, models, uploads, logs.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address on which the page is served. Others than loopback need accounts: `users add`.",
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
    upload_quota_mb: int = Field(
        default=16_384,
        ge=1,
        description="Size in MB of all uploads together that are not imported yet, unfinished ones included. "
        "An upload is removed when it is imported, and 7 days after anything was last added to it.",
    )
    model_roots: str = Field(
        default="",
        description="Folders from which local models and data may be read, separated by ':' "
        "(';' on Windows). Empty means your home folder and the data folder.",
    )

    allowed_hosts: str = Field(
        default="",
        description="Names under which the page is reached besides localhost, separated by commas, such as "
        "`studio.example.org`. Needed when it is served under a name or through a proxy.",
    )
    trusted_proxy: str = Field(
        default="",
        description="Addresses of the https proxy in front of the page, separated by commas. Only from these "
        "is believed who asks, and that the connection is encrypted.",
    )
    session_idle_hours: float = Field(
        default=12.0, gt=0, description="Hours without a request after which somebody is signed out."
    )
    session_hours: float = Field(
        default=168.0, gt=0, description="Hours after which somebody is signed out in any case."
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
    def labelling(self) -> Path:
        """Prompts of projects to label, a folder for each."""
        return self.home / "labelling"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def names(self) -> frozenset[str]:
        """``allowed_hosts`` as a set, in lower case."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: str) -> str:
        """A name only: no scheme, port, path or asterisk, which would let any site in."""
        for name in value.split(","):
            if name.strip() and not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:]+\]", name.strip()):
                raise ValueError(f"{name.strip()!r} is not the name of a host")
        return value

    @field_validator("trusted_proxy")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for address in value.split(","):
            if address.strip():
                ipaddress.ip_network(address.strip())
        return value

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
    settings = checked(Settings, values, "setting_invalid")
    for folder in ("", "datasets", "runs", "models", "uploads", "logs"):
        try:
            (settings.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BadInput("home_not_writable", path=settings.home, reason=error.strerror) from error
    return settings
