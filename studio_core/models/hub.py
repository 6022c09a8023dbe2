"""Bring a model from the Hub, by its name, when a person asked for it.

The download runs in a process of its own: the studio itself is set to be offline,
and gigabytes need not pass through the process that serves the pages.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from studio_core.base.errors import StudioError

# No *.bin and no *.pt: unpickling runs what is in them.
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.txt")

_PROGRAM = """
import sys
from huggingface_hub import snapshot_download
name, folder, *patterns = sys.argv[1:]
try:
    snapshot_download(name, local_dir=folder, allow_patterns=patterns, ignore_patterns=["*/*"])
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def download(name: str, folder: Path, *, code: bool = False) -> Path:
    """Download ``org/name`` into ``folder``: safetensors, JSON and templates, never pickles.

    With ``code`` its Python files come too. A download that was broken off goes on
    where it stopped. Raises ``StudioError``.
    """
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    # The studio's own processes are offline; this one was asked for by a person.
    environment.pop("HF_HUB_OFFLINE", None)
    patterns = [*PATTERNS, "*.py"] if code else PATTERNS
    command = [sys.executable, "-c", _PROGRAM, name, str(folder), *patterns]
    # No timeout: a large model on a slow line takes hours, and what is there already is kept.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise StudioError("models.hub_failed", model=name, reason=lines[-1][:300] if lines else "?")
    return folder.resolve()
