from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from jobs.engine import tree
from tests.conftest import wait_until

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def marked() -> Iterator[subprocess.Popen[bytes]]:
    """A process with the mark ``test-mark`` that has a child in a session of its own."""
    code = f"import subprocess; subprocess.run({SLEEPER!r}, start_new_session=True)"
    env = {**os.environ, tree.MARK: "test-mark"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        yield process
        tree.kill("test-mark")


def test_the_mark_finds_children_in_other_sessions(marked: subprocess.Popen[bytes]) -> None:
    assert marked.pid in tree.members("test-mark")
    assert tree.members("another") == set()
    assert len(tree.members("another", root=marked.pid)) == 1


def test_all_of_it_is_killed(marked: subprocess.Popen[bytes]) -> None:
    assert tree.kill("test-mark", group=marked.pid) == 2
    wait_until(lambda: not tree.members("test-mark"), 5, "all are dead")
    assert tree.kill("test-mark", group=marked.pid) == 0


def test_this_process_is_never_a_member() -> None:
    assert os.getpid() not in tree.members("x", root=os.getppid())


def test_a_process_is_named_by_its_start() -> None:
    me = os.getpid()
    assert tree.start_ticks(me) == tree.start_ticks(me) > 0
    assert len(tree.boot_id()) == 36
    assert tree.oom_kills() >= 0
