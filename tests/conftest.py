"""What all tests share: an opened studio in an empty folder, and waiting for conditions."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

# Before anything imports them: no test may call out of the machine, and on tiny models one thread
# is faster than two that wait for each other.
os.environ.update(
    OMP_NUM_THREADS="1",
    TUNESMITH_THREADS="1",
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    GRADIO_ANALYTICS_ENABLED="False",
    TRL_EXPERIMENTAL_SILENCE="1",
    TOKENIZERS_PARALLELISM="false",
)

from studio_core.base.studio import Studio, open_studio
from tests import forked

T = TypeVar("T")

LONG = [
    "integration/test_cli.py",
    "integration/test_tunings.py",
    "integration/test_conformance.py",
    "integration/test_several_ranks.py",
    "faults/test_engine_killed.py",
    "hostile/test_templates.py",
    "browser/test_axe.py",
    "browser/test_rounds.py",
    "browser/test_opening.py",
    "browser/test_train_runs.py",
    "browser/test_loop.py",
    "browser/test_shell.py",
]
"""Files that come first: one that is begun last ends last, while all other processes have nothing to do."""

# What an example takes by the clock says how busy the machine is, nothing else.
hypothesis.settings.register_profile("tunesmith", deadline=None)
hypothesis.settings.load_profile("tunesmith")

PATIENCE = 300.0
"""Seconds, of what takes one: only what hangs is to fail, not what waits for a busy machine."""

REAL_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a new studio, made once: thousands of tests need one, and its migrations take half a second."""
    opened = open_studio(home=tmp_path_factory.mktemp("empty") / "home")
    opened.close()
    return opened.settings.database


@pytest.fixture
def studio(tmp_path: Path, empty_database: Path) -> Iterator[Studio]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(empty_database, home / empty_database.name)
    opened = open_studio(home=home)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def prepared_python() -> Iterator[str]:
    """Begins workers that have done their imports; one for all tests of a process."""
    with forked.python("jobs.worker") as program:
        yield program


@pytest.fixture(scope="session")
def prepared_app() -> Iterator[str]:
    """The same for page servers and commands."""
    with forked.python("app") as program:
        yield program


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(f"{item.path.parent.name}/{item.path.name}", len(LONG)))


def pytest_collection_finish() -> None:
    """What is imported by now stays: a trainer's end collects garbage, and would look through all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Half a letter that a test wrote into a log cannot be sent from the process that ran it."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


def wait_until(condition: Callable[[], T], timeout: float = PATIENCE, what: str = "") -> T:
    """The first true value of ``condition``; fails with ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what or condition}")
        time.sleep(0.02)
