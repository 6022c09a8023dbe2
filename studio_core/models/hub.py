"""Find a model of the Hub, look at it, and bring it, by its name, when a person asked for it.

Each runs in a process of its own: the studio itself is set to be offline, gigabytes need not pass through the
process that serves the pages, and a Hub that does not answer is left after some seconds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput, StudioError
from studio_core.models.inspect import Inspected

# Lengths and signs as the Hub allows them: anything else is no name of the Hub but a path.
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")

# No *.bin and no *.pt: unpickling runs what is in them.
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.txt")
# Mistral's repositories have the same weights once more under this name, for a program of its own.
IGNORED = ("*/*", "consolidated*")

PATIENCE = 12.0
"""Seconds for one question to the Hub, with the start of the process that asks it."""
MOST = 20
"""Models of one search."""
LONGEST = 100
"""Characters of what is searched for: as many as the longest names have."""

_ROOT = Path(__file__).resolve().parent.parent.parent

_PROGRAM = """
import sys
from huggingface_hub import snapshot_download
name, folder, ignored, *patterns = sys.argv[1:]
try:
    snapshot_download(name, local_dir=folder, allow_patterns=patterns, ignore_patterns=ignored.split())
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class Hit:
    """A model that a search has brought."""

    name: str
    downloads: int
    """Of the last 30 days, as the Hub counts them."""
    licence: str
    gated: str
    """How access is given: ``auto`` or ``manual``; empty if anybody may have it."""
    parameters: int
    """0: the Hub has not counted them."""
    safetensors: bool


@dataclass(frozen=True)
class OnHub:
    """What the Hub tells of a model before anything of it is kept here."""

    name: str
    """As the Hub spells it."""
    licence: str
    gated: str
    closed: bool
    """Whether its files are kept from whoever asks here."""
    download: int
    """Bytes that a download brings."""
    weights: bool
    """Whether it has weights as safetensors."""
    pickled: str
    """A file of pickled weights; empty if there is none."""
    config: bool
    adapter_of: str
    """The model that it is an adapter for; empty for a complete one."""
    tokenizer: bool
    inspected: Inspected | None
    """None if its configuration could not be read."""


def find(text: str) -> list[Hit]:
    """Models that write text whose names have these words, at most ``MOST``. Raises ``StudioError``."""
    text = " ".join(text.split())
    if not text or len(text) > LONGEST:
        raise BadInput("models.hub_no_text", limit=LONGEST)
    return [Hit(**hit) for hit in _ask({"find": text, "limit": MOST})["models"]]


def look(name: str) -> OnHub:
    """What a model is, from its configuration and the list of its files. Raises ``StudioError``."""
    told = _ask({"look": name})
    inspected = told.pop("inspected")
    return OnHub(**told, inspected=Inspected(**inspected) if inspected else None)


def download(name: str, folder: Path, *, code: bool = False) -> Path:
    """Download ``org/name`` into ``folder``: safetensors, JSON and templates, never pickles.

    With ``code`` its Python files come too. A download that was broken off goes on
    where it stopped. Raises ``StudioError``.
    """
    patterns = [*PATTERNS, "*.py"] if code else PATTERNS
    command = [sys.executable, "-c", _PROGRAM, name, str(folder), " ".join(IGNORED), *patterns]
    # No timeout: a large model on a slow line takes hours, and what is there already is kept.
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise StudioError("models.hub_failed", model=name, reason=lines[-1][:300] if lines else "?")
    return folder.resolve()


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "studio_core.models.hub_query", json.dumps(question)]
    environment = _environment() | {"PYTHONPATH": str(_ROOT)}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise StudioError("models.hub_slow", seconds=round(PATIENCE)) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise StudioError("models.hub_refused", status="-", reason=lines[-1][:300] if lines else "?")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "key" in answer:
        kind = BadInput if answer["key"] in ("models.hub_unknown", "models.bad_json") else StudioError
        raise kind(answer["key"], **answer["values"])
    return answer


def _environment() -> dict[str, str]:
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    # The studio's own processes are offline; this one was asked for by a person.
    environment.pop("HF_HUB_OFFLINE", None)
    return environment
