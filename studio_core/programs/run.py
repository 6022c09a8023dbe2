"""``run``: one program, its input, its limits, and how it ended."""

from __future__ import annotations

import marshal
import os
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from signal import SIGKILL, SIGXCPU
from tempfile import TemporaryDirectory
from typing import Any, Literal

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import switched_on
from studio_core.programs.limits import Limits

EndedBy = Literal["", "seconds", "wall", "memory", "output"]
"""The limit that a program came to; empty: it ended of itself."""

_ROOT = str(Path(__file__).resolve().parents[2])
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from studio_core.programs.confine import main; main()"
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo",
    "/dev/null", "/dev/zero", "/dev/urandom",
)  # fmt: skip
"""What an interpreter needs besides its own folder; what of it a system lacks is left out."""


@dataclass(frozen=True)
class Result:
    exit: int
    """Exit code; negative: the signal that ended it."""
    output: str
    errors: str
    ended_by: EndedBy
    seconds: float
    """By the clock, its start included."""

    @property
    def good(self) -> bool:
        return self.exit == 0 and not self.ended_by


def run(program: str, given: str = "", limits: Limits | None = None) -> Result:
    """Run a Python program (standard library only) with ``given`` as its standard input.

    Raises ``BadInput`` where this machine cannot enforce all of the sandbox, unless the setting ``weaker_sandbox``
    says that programs run so too.
    """
    limits, begun = limits or Limits(), time.monotonic()
    weaker = switched_on("weaker_sandbox")
    with TemporaryDirectory(prefix="tunesmith-program-") as folder:
        task = _task(program, given, limits) | {"weaker": weaker, "folder": folder}
        told, output, errors, cut = _carry_out(task, limits)
    if told is None and not cut:
        raise StudioError("programs.broken", reason=errors[-300:].decode("utf-8", "replace").strip() or "-")
    if told is not None and (reason := told["lacking"].get("start")):
        raise StudioError("programs.broken", reason=reason)
    if told is not None and told["lacking"] and not weaker:
        raise _unprotected(told["lacking"])
    status = told["status"] if told is not None and told["status"] is not None else SIGKILL
    code = os.waitstatus_to_exitcode(status)
    text = errors.decode("utf-8", "replace")
    return Result(
        exit=code,
        output=output.decode("utf-8", "replace"),
        errors=text,
        ended_by=cut or _limit_of(code, text),
        seconds=time.monotonic() - begun,
    )


@cache
def lacking() -> dict[str, str]:
    """What of the sandbox this machine cannot enforce, and why; empty: all of it is enforced."""
    told, _, errors, _ = _carry_out(_task("", "", Limits()), Limits())
    reason = errors[-300:].decode("utf-8", "replace").strip() or "-"
    return dict(told["lacking"]) if told is not None else {"start": reason}


def check_protection() -> None:
    """Raises what ``run`` would raise here, before there is a program."""
    if not switched_on("weaker_sandbox") and (reasons := lacking()):
        raise _unprotected(reasons)


def _unprotected(reasons: dict[str, str]) -> BadInput:
    return BadInput("programs.unprotected", lacking=in_words(reasons))


def in_words(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def _task(program: str, given: str, limits: Limits) -> dict[str, Any]:
    return {
        "program": program,
        "input": given,
        "python": _python(),
        "readable": _readable(),
        "limits": asdict(limits),
        "weaker": False,
        "folder": "",
    }


def _carry_out(task: dict[str, Any], limits: Limits) -> tuple[dict[str, Any] | None, bytes, bytes, EndedBy]:
    """What the sandbox tells, both outputs, and the limit at which it was ended from here."""
    told, tells = os.pipe()
    with os.fdopen(told, "rb") as messages:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(tells,),
                cwd="/",
                # Keys of services may stand in the studio's.
                env={},
                start_new_session=True,
            )
        finally:
            os.close(tells)
        with process:
            try:
                _send(process, {**task, "report": tells})
                output, errors, cut = _collect(process, limits)
            finally:
                # All that is below dies with it.
                process.kill()
        said = messages.read()
    return (marshal.loads(said) if said else None), output, errors, cut


def _send(process: subprocess.Popen[bytes], task: dict[str, Any]) -> None:
    assert process.stdin is not None
    # It may have ended already: what it says then tells why.
    with suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(marshal.dumps(task))


def _collect(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, bytes, EndedBy]:
    """Read both outputs until they close, time is over or they are too long."""
    assert process.stdout is not None and process.stderr is not None
    texts = {process.stdout: bytearray(), process.stderr: bytearray()}
    deadline = time.monotonic() + limits.wall
    cut: EndedBy = ""
    with selectors.DefaultSelector() as selector:
        for pipe in texts:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and not cut:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            for key, _ in ready:
                block = os.read(key.fd, 65536)
                texts[key.fileobj].extend(block)  # type: ignore[index]
                if not block:
                    selector.unregister(key.fileobj)
            if sum(map(len, texts.values())) > limits.output:
                cut = "output"
            elif not ready:
                cut = "wall"
    output, errors = texts.values()
    left = max(0, limits.output - len(output))
    return bytes(output[: limits.output]), bytes(errors[:left]), cut


def _limit_of(code: int, errors: str) -> EndedBy:
    """By how a program ended: the kernel says so of processor time, of memory the interpreter does."""
    if code in (-SIGXCPU, -SIGKILL):
        return "seconds"
    return "memory" if code and "MemoryError" in errors[-200:] else ""


@cache
def _python() -> str:
    """The interpreter itself: what stands in a virtual environment is a link to it."""
    return os.path.realpath(sys.executable)


@cache
def _readable() -> list[str]:
    """Files and folders that a program sees, none within another."""
    own = str(Path(sys.base_prefix, "lib").resolve())
    paths: list[str] = []
    for path in (*_SYSTEM, own, _python()):
        if Path(path).exists() and not any(
            path.startswith(f"{parent}/") or path == parent for parent in paths
        ):
            paths.append(path)
    return paths
