"""What an exception means for the person whose run ended with it."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from typing import Any

from studio_core.base.errors import StudioError
from studio_core.base.states import Cause
from studio_core.texts import text

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors and torch.save do not raise OSError: they put its number or words into their own.
_DISK_FULL_WORDS = re.compile(
    r"no space left|os error (28|27|122)\b|file too large|failed writing file", re.I
)
_HOST_MEMORY_WORDS = re.compile(r"can't allocate memory|cannot allocate memory", re.IGNORECASE)


def named(error: BaseException) -> dict[str, Any]:
    """The fields of an ``error`` event: ``cause``, ``message``, and ``key`` and ``values`` to translate it."""
    for part in _chain(error):
        if isinstance(part, StudioError):
            return _fields(Cause.ERROR, part.key, part.values)
        if cause := _cause(part):
            return _fields(cause, f"methods.failed.{cause.value}", {})
    reason = (str(error).strip().splitlines() or [""])[0][:300]
    return _fields(Cause.ERROR, "methods.failed.error", {"kind": type(error).__name__, "reason": reason})


def _fields(cause: Cause, key: str, values: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value if isinstance(value, int | float) else str(value) for name, value in values.items()}
    return {"cause": cause.value, "message": text(key, **shown), "key": key, "values": shown}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from."""
    part: BaseException | None = error
    while part is not None:
        yield part
        part = part.__cause__ or part.__context__


def _cause(error: BaseException) -> Cause | None:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return Cause.OUT_OF_MEMORY_GPU
    if isinstance(error, MemoryError) or _HOST_MEMORY_WORDS.search(str(error)):
        return Cause.OUT_OF_MEMORY_HOST
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return Cause.DISK_FULL
    if isinstance(error, Exception) and _DISK_FULL_WORDS.search(str(error)):
        return Cause.DISK_FULL
    return None
