"""Workers and pages without the seconds of their imports: forked from a process that has done them, once for many.

What they do is real, and so are their ends and whoever starts them. Only the first seconds of a cold start are not: the
tests of starting, of faults and of single processes start theirs as a user does.

``python -P tests/forked.py SOCKET [...] -m MODULE ARGUMENTS`` stands for such a process: it has its environment, files
and signals, ends as it ends, and the process ends with it.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = {
    "app": ("app.cli.serve", "app.web", "studio_core.data.store", "studio_core.models.registry"),
    "jobs.worker": (
        "accelerate.commands.launch",
        "jobs.curation",
        "jobs.generation.server",
        "torch.distributed.run",
    ),
}
PASSED_ON = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def python(module: str, **environment: str) -> Iterator[str]:
    """A program to start ``[program, "-m", module, ...]`` with, in place of Python, as often as one likes.

    It is Python itself on a machine with GPUs: a process that has looked for them must not be forked to use them.
    """
    from studio_core.base.gpus import Gpus

    if Gpus().found():
        yield sys.executable
        return
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:
        program, address = Path(folder, "python"), Path(folder, "socket")
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{__file__}" "{address}" "$@"\n')
        program.chmod(0o700)
        with socket.socket(socket.AF_UNIX) as door:  # Open at once: who comes early waits.
            door.bind(str(address))
            door.listen(64)
            stock = subprocess.Popen(
                [sys.executable, "-u", "-m", "tests.forked", module, str(door.fileno())],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                pass_fds=[door.fileno()],
                env={**os.environ, **environment},
            )
        try:
            yield str(program)
        finally:
            stock.communicate()  # It ends with its input.


class Stock:
    """The process that has imported everything, and has a child for each that is asked for."""

    def __init__(self, door: socket.socket) -> None:
        self.door = door
        self.children: dict[socket.socket, int] = {}
        """By who stands for them; 0 once it has ended."""

    def serve(self) -> None:
        """Until the input ends."""
        ended, end = socket.socketpair()
        end.setblocking(False)
        signal.set_wakeup_fd(end.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as news:
            for source in (sys.stdin, ended, self.door):
                news.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in news.select():
                    if key.fileobj is sys.stdin:
                        return self.close()
                    if key.fileobj is ended:
                        ended.recv(4096)
                        self.tell_ends()
                    elif key.fileobj is self.door:
                        caller, _ = self.door.accept()
                        news.register(caller, selectors.EVENT_READ)
                        self.begin(caller)
                    elif isinstance(caller := key.fileobj, socket.socket):
                        news.unregister(caller)
                        self.drop(caller)

    def begin(self, caller: socket.socket) -> None:
        """Have a child for whoever has called."""
        order, files = ordered(caller)
        child = os.fork() if order else None
        if order and child == 0:
            for other in (self.door, caller, *self.children):
                other.close()
            become(order, files)
        for file in files:
            os.close(file)
        self.children[caller] = child or 0
        with suppress(OSError):
            caller.sendall(f"{child}\n".encode())

    def tell_ends(self) -> None:
        """Tell whoever stands for a child how that has ended."""
        for caller, child in self.children.items():
            if child and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                self.children[caller] = 0
                with suppress(OSError):
                    caller.sendall(f"{code}\n".encode())

    def drop(self, caller: socket.socket) -> None:
        """Whoever stood for a child has ended: if before the child, it was killed, and that is too."""
        caller.close()
        if child := self.children.pop(caller):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def close(self) -> None:
        for child in filter(None, self.children.values()):
            os.kill(child, signal.SIGKILL)


def ordered(caller: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """What a caller wants, if it lived long enough to say it, and its standard files."""
    part, files, _, _ = socket.recv_fds(caller, 1 << 16, 3)
    line = part
    while part and not line.endswith(b"\n"):
        part = caller.recv(1 << 16)
        line += part
    return json.loads(line) if part else None, files


def become(order: dict[str, Any], files: list[int]) -> NoReturn:
    """In the child: be what was asked for."""
    os.setsid()
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv[1:] = order["arguments"]
    sys.modules.pop(order["module"], None)
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    os._exit(code)


def prepare(module: str) -> None:
    """Import what it will."""
    if module == "jobs.worker":
        os.environ.update(import_module(module).DEFAULTS)  # Read when the libraries are imported.
        import_module("jobs.training.warmup").prepare()
    for name in IMPORTS[module]:
        import_module(name)
    gc.collect()
    gc.freeze()  # The children share what is there, as long as nobody walks through it.


def stand(address: str, module: str, *arguments: str) -> NoReturn:
    """In another process: be there as long as the child is."""
    environment = dict(os.environ)
    order = {"module": module, "arguments": arguments, "folder": str(Path.cwd()), "environment": environment}
    with socket.socket(socket.AF_UNIX) as stock, stock.makefile("r") as told:
        stock.connect(address)
        socket.send_fds(stock, [b" "], [0, 1, 2])
        stock.sendall(json.dumps(order).encode() + b"\n")
        child = int(told.readline())
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: os.kill(child, number))
        code = int(told.readline())
    if -code in PASSED_ON:
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    if "-m" in sys.argv:
        stand(sys.argv[1], *sys.argv[sys.argv.index("-m") + 1 :])
    prepare(sys.argv[1])
    Stock(socket.socket(fileno=int(sys.argv[2]))).serve()
