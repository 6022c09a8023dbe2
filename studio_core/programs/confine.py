"""From a bare interpreter to a program without rights. Started by ``run``, which says all that is needed on stdin.

    this process          waits; its death ends the next one, and so all
      first of its tree   process 1 of its own numbering: when it ends, the kernel ends all that are left
        the program       without rights, files, network, in its limits

Each step either works or is told. Where one does not, nothing is run, unless ``weaker`` says so.
"""

from __future__ import annotations

import marshal
import os
import resource
import sys

from studio_core.programs import kernel, system_calls

# As in typing, whose import would take longer than all that is done here; so json, pathlib and contextlib are missing.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Task = Mapping[str, Any]
    """What ``run`` says: ``program``, ``input``, ``python``, ``readable``, ``limits``, ``weaker``, ``folder`` (for a
    weaker sandbox), ``report`` (a descriptor)."""

_NOBODY = 65534
"""The user without rights, on every Linux. As root a program would not be held by the limit of processes."""
_SPACES = kernel.NEWNS | kernel.NEWPID | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS
_WORK = "/tmp"
"""The folder of a program, and the only one in which it may write."""
_FILES_MOST = 4096
"""Files and folders of a program, those of its root among them; each takes a kilobyte that no size counts."""
_KILL = 9


_START = "start"
"""What is lacking where the program could not be started at all."""


def main() -> None:
    # The root must be open to nobody, whatever whoever started this keeps closed.
    os.umask(0o022)
    task: Task = marshal.loads(sys.stdin.buffer.read())
    # Else a program could tell how it ended itself.
    os.set_inheritable(task["report"], False)
    lacking: dict[str, str] = {}
    _works("namespaces", lambda: _enter_spaces(task), lacking)
    if lacking and not task["weaker"]:
        _tell(task, lacking)
        return
    # Now, since a change of the user undoes it.
    _die_with_parent()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    _die_with_parent()
    _first_of_its_tree(task, lacking)


def _works(name: str, step: Callable[[], None], lacking: dict[str, str]) -> bool:
    try:
        step()
    except (OSError, AttributeError) as error:  # AttributeError: another system than Linux.
        lacking[name] = str(error)
    return name not in lacking


def _tell(task: Task, lacking: dict[str, str], status: int | None = None) -> None:
    """The last word to ``run``: what is not enforced here, and the wait status of the program if it was run."""
    os.write(task["report"], marshal.dumps({"lacking": lacking, "status": status}))


def _die_with_parent() -> None:
    _works("death of the parent", lambda: kernel.prctl(kernel.SET_PDEATHSIG, _KILL), {})


def _enter_spaces(task: Task) -> None:
    """Own numbering of processes, own network (of which nothing is up), own files."""
    if os.getuid() == 0:
        kernel.unshare(_SPACES)
        _build_root(task)
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        # So that the limit of processes counts those of this program only, not all of nobody's.
        kernel.unshare(kernel.NEWUSER)
        return
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.NEWUSER | _SPACES)
    # Root of its own space may mount; as a number other than 0 it loses that when the program is started.
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        _write(f"/proc/self/{file}", line)
    _build_root(task)


def _build_root(task: Task) -> None:
    """A root in memory with the interpreter, its libraries and an empty folder; what else there is, is not there."""
    kernel.mount("none", "/", flags=kernel.REC | kernel.PRIVATE)
    # What it may write in all, the files of its input and its own text included.
    size = task["limits"]["disk"] + len(task["program"]) * 4 + len(task["input"]) * 4
    kept = [(path, os.open(path, os.O_PATH)) for path in task["readable"] if not os.path.islink(path)]
    links = [(path, os.readlink(path)) for path in task["readable"] if os.path.islink(path)]
    kernel.mount(
        "tmpfs", _WORK, "tmpfs", kernel.NOSUID | kernel.NODEV, f"size={size},nr_inodes={_FILES_MOST},mode=755"
    )
    for path, opened in kept:
        # By its descriptor, since the path may lead through what the mount above has covered.
        _show(f"/proc/self/fd/{opened}", _WORK + path)
        os.close(opened)
    for path, target in links:
        os.symlink(target, _WORK + path)
    kernel.enter_root(_WORK)
    os.mkdir(_WORK, 0o700)
    if os.getuid() == 0:
        os.chown(_WORK, _NOBODY, _NOBODY)


def _show(source: str, target: str) -> None:
    """Bind a file or folder, to be read only."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    kernel.mount(source, target, flags=kernel.BIND | kernel.REC)
    if "/dev/" not in target:
        # NODEV would close null and urandom; nothing can be spoilt there.
        flags = kernel.REMOUNT | kernel.BIND | kernel.RDONLY | kernel.NOSUID | kernel.NODEV
        kernel.mount("none", target, flags=flags)


def _first_of_its_tree(task: Task, lacking: dict[str, str]) -> None:
    """Start the program, take in what it leaves behind, and tell how it ended."""
    work = _WORK
    if "namespaces" in lacking:
        # The next best: what leaves its parent becomes a child of this process, and is ended with the others.
        if os.path.isdir(task["folder"]):  # Else the root was built before something else failed.
            work = task["folder"]
        _works("subreaper", lambda: kernel.prctl(kernel.SET_CHILD_SUBREAPER, 1), {})
    told, tells = os.pipe()
    program = os.fork()
    if program == 0:
        try:
            _become(task, work, tells)
        except BaseException as error:
            os.write(tells, marshal.dumps({_START: f"{type(error).__name__}: {error}"}))
        finally:
            os._exit(127)
    os.close(tells)
    with os.fdopen(told, "rb") as messages:
        # Until the program is started, which closes the other end.
        while messages.peek(1):
            lacking.update(marshal.load(messages))
    while True:
        ended, status = os.wait()
        if ended == program:
            break
    _tell(task, lacking, status)
    if "namespaces" in lacking:
        _end_children()
    os._exit(0)


def _become(task: Task, work: str, tells: int) -> None:
    """The program itself, by ``exec``. ``tells`` closes then: what was refused is told before."""
    os.setsid()
    os.chdir(work)
    _write("program.py", task["program"])
    _write("input", task["input"])
    os.dup2(os.open("input", os.O_RDONLY), 0)
    os.remove("input")
    _limit(task["limits"])
    refused: dict[str, str] = {}
    _works("seccomp", system_calls.refuse, refused)
    if refused:
        os.write(tells, marshal.dumps(refused))
        if not task["weaker"]:
            os._exit(126)
    # -I -S: nothing but the standard library; -B: its folder is for its own files.
    command = [task["python"], "-I", "-S", "-B", "-X", "utf8", "program.py"]
    os.execve(task["python"], command, {"HOME": work, "TMPDIR": work, "LANG": "C.UTF-8", "PATH": ""})


def _limit(limits: Mapping[str, int]) -> None:
    for which, value in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_CPU, limits["seconds"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        # Two more: the first of its tree and the process that waits for it are counted too.
        (resource.RLIMIT_NPROC, limits["processes"] + 2),
        # Enough for any exercise; each may hold a buffer of the kernel that no other limit counts.
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        # macOS knows no limit of the address space.
        try:
            resource.setrlimit(which, (value, value))
        except (ValueError, OSError):
            if sys.platform == "linux":
                raise


def _write(path: str, text: str) -> None:
    # What a model wrote may hold halves of characters.
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)


def _end_children() -> None:
    """Without a numbering of its own: end what the program started, until nothing is left."""
    me = os.getpid()
    while children := [pid for pid in _processes() if _parent(pid) == me]:
        for pid in children:
            os.kill(pid, _KILL)
        os.wait()


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # After the name, which may hold anything, a bracket closes.
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0
