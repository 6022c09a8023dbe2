"""What is installed here, for the settings page."""

from __future__ import annotations

import importlib.metadata
import platform

from sqlalchemy import text as sql

from studio_core.base.studio import Studio

PARTS = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "gradio",
    "sqlalchemy",
)
# Compared with a running engine's, so that it cannot be left empty.
FALLBACK = "0.1.0"
"""The version of a checkout that was never installed; equal to pyproject.toml."""


def studio_version() -> str:
    try:
        return importlib.metadata.version("tunesmith")
    except importlib.metadata.PackageNotFoundError:
        return FALLBACK


def versions(studio: Studio) -> dict[str, str]:
    """Name and version of everything that matters; what is not installed is left out."""
    with studio.db.read() as session:
        sqlite = session.scalar(sql("SELECT sqlite_version()"))
    found = {"Tunesmith": studio_version(), "Python": platform.python_version(), "SQLite": str(sqlite)}
    for name in PARTS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
