"""``manifest.json`` of an export. Workers write it: no database here."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from studio_core.exports.parity import Parity


class ExportedFile(BaseModel):
    size: int
    sha256: str
    crc32: int
    """Of ZIP archives, which ask for it before the bytes."""


class Manifest(BaseModel):
    """``manifest.json``: what the files are, where they come from, and whether they answer as the original."""

    format: str
    options: dict[str, Any]
    model: str
    made_by: int | None = None
    """The run that trained the model."""
    base: str = ""
    adapter: bool = False
    source: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the model's own files, by name; an adapter's begin with ``adapter/``."""
    files: dict[str, ExportedFile]
    details: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str]
    created_at: str
    seconds: float
    """To write the files, without the comparison."""
    parity: Parity | None = None
    """None: not compared."""
