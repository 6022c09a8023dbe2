"""Programs made to do harm: each comes to its limit, leaves nothing behind, and the next program works."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from studio_core.base.errors import BadInput, StudioError
from studio_core.programs import run as sandbox
from studio_core.programs.limits import Limits
from studio_core.programs.run import EndedBy, Result, run

# A second of the processor: what is tested is that the limit ends them, not how long it is.
SHORT = Limits(seconds=1, wall=20)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems enforce no sandbox, so that programs are refused"
)


def attempt(program: str, limits: Limits = SHORT) -> Result:
    """Carry it out; nothing of it is alive afterwards, and another program is as it always is."""
    result = run(program, limits=limits)
    assert not descendants(), "processes were left behind"
    assert run("print(input())", "well").output == "well\n"
    return result


def descendants() -> list[psutil.Process]:
    mine = psutil.Process().children(recursive=True)
    # The helper for chat templates may live beside.
    return [child for child in mine if "studio_core.programs" in " ".join(child.cmdline())]


@pytest.mark.parametrize(
    ("ended_by", "program"),
    [
        ("seconds", "while True: pass"),
        ("seconds", "import signal\nfor n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n"
         "  except OSError: pass\nwhile True: pass"),
        ("memory", "x = bytearray(4 << 30)"),
        ("memory", "x = []\nwhile True: x.append(bytearray(1 << 20))"),
        ("output", "while True: print('x' * 4096)"),
        ("output", "import sys\nwhile True: sys.stderr.write('x' * 4096)"),
        ("seconds", "import re; re.match('(a+)+$', 'a' * 40 + 'b')"),
        ("seconds", "9 ** 9 ** 9"),
    ],
)  # fmt: skip
def test_what_never_ends_comes_to_a_limit(ended_by: EndedBy, program: str) -> None:
    result = attempt(program)
    assert (result.ended_by, result.good) == (ended_by, False)
    assert len(result.output) + len(result.errors) <= SHORT.output


def test_a_sleeper_is_ended_by_the_clock() -> None:
    assert attempt("import time; time.sleep(600)", Limits(wall=1)).ended_by == "wall"


def test_a_fork_bomb_stops_at_the_limit() -> None:
    result = attempt("import os\nwhile True: os.fork()")
    assert "Resource temporarily unavailable" in result.errors or result.ended_by


def test_threads_count_as_processes() -> None:
    program = (
        "import threading, time\nfor n in range(100): threading.Thread(target=time.sleep, args=(9,)).start()"
    )
    result = attempt(program, Limits(wall=5))
    assert "can't start new thread" in result.errors


def test_children_that_leave_their_session_end_with_the_program() -> None:
    program = (
        "import os, time\n"
        "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(600)\n  os._exit(0)\n"
        "os.wait(); print('left')"
    )
    assert attempt(program).output == "left\n"


def test_a_child_that_holds_the_output_holds_nobody_up() -> None:
    result = attempt("import os, time\nif os.fork() == 0: time.sleep(600)\nprint('done')")
    assert result.good and result.output == "done\n"


@pytest.mark.parametrize(
    "path", ["~/.ssh", "/etc/passwd", "/proc/self/environ", "/proc/1/root", "/sys", "/home", "/var"]
)
def test_no_files_but_those_of_the_interpreter(path: str) -> None:
    result = attempt(f"import os; print(os.path.exists(os.path.expanduser({path!r})))")
    assert result.output == "False\n"


def test_the_studios_folder_and_keys_are_out_of_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.key").write_text("secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for attack in (
        f"print(open({str(tmp_path / 'secret.key')!r}).read())",
        f"import os; os.symlink({str(tmp_path)!r}, 'link'); print(open('link/secret.key').read())",
        f"import os; os.link({str(tmp_path / 'secret.key')!r}, 'link'); print(open('link').read())",
        f"import os; os.chmod({str(tmp_path)!r}, 0)",
        f"import studio_core; print(open({__file__!r}).read())",
        "print(open('../' * 20 + 'etc/passwd').read())",
        "import os; print(os.environ['OPENAI_API_KEY'])",
    ):
        result = attempt(attack)
        assert result.exit == 1 and "secret" not in result.output
    assert (tmp_path / "secret.key").read_text() == "secret"


def test_no_descriptor_of_the_studio_is_open(tmp_path: Path) -> None:
    with open(tmp_path / "open", "w") as file:
        os.set_inheritable(file.fileno(), True)
        program = (
            "import os\nfor n in range(3, 1024):\n  try: os.fstat(n)\n  except OSError: continue\n  print(n)"
        )
        # One that the interpreter opens for the program's own text is closed when it is read.
        assert attempt(program).output in ("", "3\n")


def test_files_end_at_their_limits() -> None:
    large = attempt("f = open('large', 'wb')\nwhile True: f.write(b'x' * (1 << 20)); f.flush()")
    assert "File too large" in large.errors
    many = attempt("for n in range(1000): open(f'file{n}', 'wb').write(b'x' * (8 << 20))", Limits(seconds=20))
    assert "No space left" in many.errors
    empty = attempt("for n in range(10**6): open(f'file{n}', 'w').close()")
    assert "No space left" in empty.errors
    sparse = attempt("open('sparse', 'w').truncate(10 << 30)")
    assert "File too large" in sparse.errors


def test_the_interpreter_cannot_be_changed() -> None:
    for attack in (
        "import os; open(os.__file__, 'a').write('x')",
        "import os; os.remove(os.__file__)",
        "import os; os.rename(os.path.dirname(os.__file__), '/tmp/lib')",
        "open('/usr/lib/x', 'w')",
    ):
        assert attempt(attack).exit == 1


def test_a_studio_that_keeps_its_files_to_itself_runs_programs_too() -> None:
    before = os.umask(0o077)
    try:
        assert run("print('well')").output == "well\n"
    finally:
        os.umask(before)


def test_a_program_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_python", lambda: "/bin/no-python")
    with pytest.raises(StudioError) as failed:
        run("print('ran')")
    assert "No such file" in failed.value.sentence()


def test_a_folder_is_fresh_for_each_program() -> None:
    assert run("open('kept', 'w').write('x')").good
    assert run("import os; print(os.listdir('.'))").output == "['program.py']\n"


@pytest.mark.parametrize(
    "attack",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}')",
        "import socket; socket.create_connection(('127.0.0.1', {port}))",
        "import socket; socket.socketpair()[0].connect('\\0abstract')",
    ],
)
def test_no_network(attack: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = attempt(attack.replace("{port}", str(server.getsockname()[1])))
        assert result.exit == 1 and "not permitted" in result.errors
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_nobody_else_can_be_killed() -> None:
    program = (
        "import os, signal\n"
        "for pid in (os.getppid(), 1, {me}):\n"
        "  try: os.kill(pid, signal.SIGKILL)\n"
        "  except OSError as error: print(error)\n"
        "print('still there', os.getppid())"
    )
    result = attempt(program.replace("{me}", str(os.getpid())))
    assert result.good and result.output.endswith("still there 1\n")
    assert "No such process" in attempt("import os, signal; os.kill(-1, signal.SIGKILL)").errors


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("ptrace", (16, 1, 0, 0)),  # PTRACE_ATTACH to the first of its tree.
        ("process_vm_readv", (1, 0, 0, 0, 0, 0)),
        ("unshare", (0x1000_0000,)),
        ("setns", (0, 0)),
        ("mount", (b"none", b"/tmp", b"tmpfs", 0, 0)),
        ("chroot", (b"/",)),
        ("memfd_create", (b"x", 0)),
        ("shmget", (0, 1 << 30, 0o1600)),
        ("keyctl", (0, -3)),
        ("bpf", (0, 0, 0)),
        ("io_uring_setup", (1, 0)),
        ("perf_event_open", (0, 0, 0, 0, 0)),
        ("userfaultfd", (0,)),
        ("clone", (0x1000_0000 | 17, 0, 0, 0, 0)),
    ],
)
def test_calls_that_reach_out_are_refused(call: str, arguments: tuple[object, ...]) -> None:
    from studio_core.programs import system_calls

    place, _ = system_calls._MACHINES[os.uname().machine]
    number = (system_calls._CLONE if call == "clone" else system_calls._REFUSED[call])[place]
    program = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.syscall({number}, *{arguments!r}), ctypes.get_errno())"
    )
    assert attempt(program).output == "-1 1\n"


def test_no_rights() -> None:
    """Neither root nor able to become it, whoever runs the studio."""
    program = (
        "import os\nprint(os.getuid() != 0)\ntry: os.setuid(0)\nexcept OSError as error: print(error.errno)"
    )
    result = attempt(program)
    assert result.output.splitlines()[0] == "True" and result.output.splitlines()[1] in ("1", "22")
    # The bounding of rights, by the kernel's own words: PR_CAPBSET_READ says nothing of it, capget does.
    caps = (
        "import ctypes, struct\nhead = ctypes.create_string_buffer(struct.pack('IiI', 0x20080522, 0, 0))\n"
        "data = ctypes.create_string_buffer(24)\nprint(ctypes.CDLL(None).capget(head, data), data.raw.strip(b'\\0'))"
    )
    assert attempt(caps).output == "0 b''\n"


def test_no_limit_can_be_raised() -> None:
    program = (
        "import resource\n"
        "for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):\n"
        "  try: resource.setrlimit(which, (-1, -1)); print('raised')\n"
        "  except ValueError: pass"
    )
    assert attempt(program).output == ""


def test_a_program_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    """Killed at once, the studio leaves no program behind."""
    asking = (
        "from studio_core.programs.run import run, Limits; run('while True: pass', limits=Limits(600, 600))"
    )
    studio = subprocess.Popen([sys.executable, "-c", asking], cwd=Path(__file__).parents[2])
    try:
        inside = wait_for_a_program(studio.pid)
    finally:
        studio.send_signal(signal.SIGKILL)
        studio.wait()
    _, alive = psutil.wait_procs(inside, timeout=60)
    assert not alive


def wait_for_a_program(pid: int) -> list[psutil.Process]:
    """The sandbox and its program, once the program is busy."""
    for _ in range(6000):
        family = psutil.Process(pid).children(recursive=True)
        if any("program.py" in " ".join(process.cmdline()) for process in family):
            return family
        threading.Event().wait(0.01)
    raise AssertionError("no program was started")


def test_what_cannot_be_enforced_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine that forbids namespaces: a flag that the kernel does not know.
    forbid = "import studio_core.programs.confine as confine; confine._SPACES = 1; "
    monkeypatch.setattr(sandbox, "_START", sandbox._START.replace("from", forbid + "from"))
    with pytest.raises(BadInput) as refused:
        run("print('ran')")
    assert "namespaces" in refused.value.sentence()
    monkeypatch.setenv("TUNESMITH_WEAKER_SANDBOX", "1")
    result = run("print('ran')")
    assert result.good and result.output == "ran\n"
    # Still without network, in its limits, and ended as a tree.
    assert run("import socket; socket.socket()").exit == 1
    program = "import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(600)\nprint('left')"
    assert run(program).output == "left\n"
    assert not descendants()
