"""The token of a studio without accounts, as Jupyter has one: it stands in the address that the studio prints.

Whoever can sign in to the machine can reach the page on loopback; only who started the studio can read the file.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path

from studio_core.base.errors import StudioError

# 190 bits of a token's 256: a file that was cut or edited below that is refused, not used.
LEAST = 32
"""Characters; 43 are made, 256 bits."""


def token_file(home: Path) -> Path:
    return home / "token"


def token(home: Path) -> str:
    """The token, made once. Delete the file, and the next start makes another: the old one opens nothing then."""
    file = token_file(home)
    if not file.exists():
        fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
        write_private(fresh, secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(fresh, file)  # Unlike a rename, it never replaces the token of another process.
        fresh.unlink()
    kept = file.read_text(encoding="utf-8").strip()
    if len(kept) < LEAST:
        raise StudioError("shell.token_damaged", path=file)
    return kept


def fits(home: Path, given: str | None) -> bool:
    """Whether somebody knows the token; the time it takes says nothing of how much of it was right."""
    return bool(given) and compare_digest(str(given).encode(), token(home).encode())


def write_private(file: Path, text: str) -> None:
    """A new file that nobody else can read, not even for a moment."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(writing.fileno())
