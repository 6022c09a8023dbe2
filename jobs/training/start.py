"""A training in a worker: the script of its method, here or on each of several ranks."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from jobs.training import ranks
from studio_core import methods
from studio_core.base.atomic import read_json
from studio_core.runs.run_folder import SPEC


def main(run_dir: Path) -> int | None:
    """The exit code of the launcher of ranks; None where the script ran in this process."""
    document = read_json(run_dir / SPEC)
    if document is None:
        raise FileNotFoundError(run_dir / SPEC)
    if document.get("elsewhere"):
        importlib.import_module("jobs.training.elsewhere").main(run_dir)
        return None
    asked = document["spec"]
    if ranks.wanted(asked) > 1:
        return ranks.launch(run_dir, asked)
    script(asked["method"]).main(run_dir)
    return None


def script(method: str) -> ModuleType:
    """The training script of a method."""
    return importlib.import_module(methods.named(method).script)
