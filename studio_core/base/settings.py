"""Settings of the whole studio: from the environment, or from the command line.

Every field is read from ``TUNESMITH_<NAME>`` and documented in ``docs/REFERENCE.md``.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from studio_core.base.errors import BadInput
from studio_core.base.validation import validate

log = logging.getLogger("tunesmith.settings")

PREFIX = "TUNESMITH_"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    home: Path = Field(
        default=Path("~/.tunesmith"),
        description="Data folder: database, datasets, runs, models, uploads, logs.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Host to listen on. Anything but loopback requires accounts: `users add`.",
    )
    # The port of every Gradio page, so that nobody has to look it up.
    port: int = Field(default=7860, ge=1, le=65535, description="Port to listen on.")
    # One serves the next click; more pay only where several runs start in the same moment.
    warm_workers: int = Field(
        default=1,
        ge=0,
        le=8,
        description="Preloaded workers, so that runs start at once. "
        "0 turns this off and saves about 500 MB of memory each.",
    )
    # One: trainings on a processor share its cores, and each of two ends later than it would alone.
    cpu_runs: int = Field(default=1, ge=1, le=64, description="Concurrent training runs without a GPU.")
    gpu_runs: int = Field(default=1, ge=1, le=8, description="Concurrent training runs per GPU.")
    threads: int = Field(default=0, ge=0, le=256, description="Threads per worker; 0: number of cores.")
    # A judgement: what fits on one card is saved in well under two minutes; checkpoints of tens of
    # gigabytes on a slow disk need more.
    stop_grace: float = Field(
        default=120.0,
        gt=0,
        description="Seconds a run may take to save after Stop and save, before it is killed.",
    )
    serve_idle: float = Field(
        default=900.0,
        gt=0,
        description="Idle seconds after which the chat worker exits and frees its memory.",
    )
    # 2 GB: four million records of 500 bytes, and a disk that a mistake does not fill.
    max_upload_mb: int = Field(default=2048, ge=1, description="Maximum upload size per file, in MB.")
    # Eight files of the largest size.
    upload_quota_mb: int = Field(
        default=16_384,
        ge=1,
        description="Maximum total size of uploads not yet imported, in MB. "
        "Uploads are removed once imported, or after 7 days without progress.",
    )
    llama_cpp: bool = Field(
        default=True,
        description="Whether chat on a CPU computes small models by llama.cpp, once it was seen to compute the same. "
        "`0`: always by PyTorch.",
    )
    model_roots: str = Field(
        default="",
        description="Folders that local models and data may be read from, separated by ':' "
        "(';' on Windows). Default: your home folder; with accounts, only `models` in the data folder. "
        "Hidden files and the data folder are never read.",
    )

    local_token: bool = Field(
        default=True,
        description="Without accounts: whether the page asks for the token of its first address. Set `0` only if "
        "nobody else can sign in to this machine.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Host names of the page besides localhost, separated by commas, such as "
        "`studio.example.org`. Needed behind a proxy or a domain name.",
    )
    trusted_proxy: str = Field(
        default="",
        description="IP addresses of the HTTPS proxy, separated by commas. Only its X-Forwarded-* headers "
        "are trusted.",
    )
    # A working day with its pauses, and no browser that stays open over night.
    session_idle_hours: float = Field(
        default=12.0, gt=0, description="Idle hours after which a session ends."
    )
    # A week.
    session_hours: float = Field(default=168.0, gt=0, description="Maximum hours of a session.")

    private_webhooks: bool = Field(
        default=False,
        description="Whether webhooks may go to this machine and to private networks, and over plain HTTP. With "
        "accounts: everybody who may add a webhook can then reach what this machine reaches.",
    )
    retention: bool = Field(
        default=True,
        description="Whether trainings are followed by an evaluation of what the model still knows. `0`: none is, "
        "whatever a run says.",
    )
    own_rewards: bool = Field(
        default=False,
        description="Whether rewards may be Python code that somebody writes on the page. It runs in the sandbox for "
        "programs.",
    )
    weaker_sandbox: bool = Field(
        default=False,
        description="Whether programs also run where the system cannot enforce the whole sandbox; `doctor` says what "
        "is lacking.",
    )

    lm_eval_python: str = Field(
        default="",
        description="Path of a Python that has lm-evaluation-harness (`pip install lm-eval[hf]==0.4.13` in an "
        "environment of its own), for suites named `lm_eval:TASK`.",
    )
    benchmarks: str = Field(
        default="",
        description="What starts the programs of agents' benchmarks, as JSON: "
        '`{"taubench": ["/opt/tau/bin/python", "/opt/tau-bench/run.py"]}`. `suites list` says which there are and how '
        "they are installed.",
    )
    trackers_python: str = Field(
        default="",
        description="Path of a Python that has the packages of the trackers that are on (W&B, MLflow, Trackio, "
        "TensorBoard); empty: the studio's own. MLflow pins versions that exclude the studio's.",
    )

    @property
    def programs(self) -> dict[str, list[str]]:
        """``benchmarks`` by name: a program, and the first of its arguments."""
        return _programs(self.benchmarks)

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
    def answers(self) -> Path:
        """Answers and measurements that were paid or waited for, kept for all jobs."""
        return self.home / "answers"

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
            # The Host header is compared with these names: otherwise a foreign site could reach the page
            # under its own name (DNS rebinding).
            if name.strip() and not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:]+\]", name.strip()):
                raise ValueError(f"{name.strip()!r} is not the name of a host")
        return value

    @field_validator("benchmarks")
    @classmethod
    def _are_programs(cls, value: str) -> str:
        _programs(value)
        return value

    @field_validator("trusted_proxy")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for address in value.split(","):
            if address.strip():
                ipaddress.ip_network(address.strip())
        return value


def _programs(value: str) -> dict[str, list[str]]:
    """Lists of arguments by name; raises ``ValueError`` of anything else."""
    try:
        return TypeAdapter(dict[str, Annotated[list[str], Field(min_length=1)]]).validate_json(value or "{}")
    except ValidationError as error:
        wanted = '{"taubench": ["/opt/tau/bin/python", "/opt/tau-bench/run.py"]}'
        raise ValueError(f"no JSON object of lists of arguments, such as {wanted}") from error


def bundled_folder() -> Path:
    """``static/`` of this installation: demo models, sample data, css, js."""
    return Path(__file__).resolve().parents[2] / "static"


def load(**given: Any) -> Settings:
    """Settings from ``TUNESMITH_*``, overridden by what is ``given`` and not None.

    Creates the data folder, readable by its owner only.
    """
    # An empty variable is one that was not set: shells and containers leave such behind.
    values: dict[str, Any] = {
        name: os.environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if os.environ.get(PREFIX + name.upper())
    }
    values.update({name: value for name, value in given.items() if value is not None})
    values["home"] = Path(values.get("home", "~/.tunesmith")).expanduser().resolve()
    settings = validate(Settings, values, "setting_invalid")
    # At once and not when they are needed: a folder that cannot be written is told at the start.
    for folder in ("", "datasets", "runs", "models", "uploads", "logs"):
        try:
            (settings.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BadInput("home_not_writable", path=settings.home, reason=error.strerror) from error
    # mkdir sets the mode of new folders only; one that was there already may be open to others.
    make_private(settings)
    return settings


def switched_on(name: str) -> bool:
    """A setting of yes or no, as the environment has it: for a worker too, which is given no ``Settings``."""
    given = os.environ.get(PREFIX + name.upper())
    settings = validate(Settings, {name: given} if given else {}, "setting_invalid")
    return bool(getattr(settings, name))


def make_private(settings: Settings) -> None:
    """Let nobody but its owner into the data folder and what in it is secret, also where it was made otherwise."""
    home = settings.home
    # Chats and votes, keys of services and trackers, the password of the mail server, and the key that signs.
    secret = (
        settings.database,
        home / "services.json",
        home / "trackers.json",
        home / "mail.json",
        home / "secret.key",
    )
    for path, mode in ((home, 0o700), *((file, 0o600) for file in secret)):
        if path.exists() and path.stat().st_mode & 0o077:
            try:
                path.chmod(mode)
            except OSError as error:  # It belongs to somebody else.
                log.warning("%s can be read by others and could not be closed: %s", path, error.strerror)
