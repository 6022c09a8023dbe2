"""The launcher of this machine, with real supervisors, and the pretended one keep the same agreement."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.engine.launcher import Launch, Launcher, LocalLauncher
from studio_core.base import atomic, settings
from studio_core.runs import run_folder
from tests.conftest import wait_until
from tests.faults.conftest import TOY
from tests.faults.fake_cluster import FakeCluster, FakeLauncher, FakeRun
from tests.faults.launcher_conformance import LauncherConformance


class LocalBench:
    def __init__(self, home: Path) -> None:
        self.settings = settings.load(home=home, warm_workers=0)
        self.made: list[LocalLauncher] = []

    def launcher(self) -> LocalLauncher:
        self.made.append(LocalLauncher(self.settings))
        return self.made[-1]

    def lose(self, run_dir: Path) -> None:
        record = atomic.read_json(run_dir / run_folder.SUPERVISOR) or {}
        os.kill(record["pid"], signal.SIGKILL)

    def finish(self) -> None:
        """Nothing may be left of a test that failed; and whoever started a process waits for it."""
        for launcher in self.made:
            launcher.close()
            for run_dir, process in launcher._starting.items():
                with suppress(OSError):
                    if run_folder.is_held(run_dir / run_folder.LOCK):
                        process.kill()
                wait_until(lambda process=process: process.poll() is not None, 10)  # type: ignore[misc]


class TestLocalLauncher(LauncherConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBench]:
        monkeypatch.setenv("TUNESMITH_WORKER_COMMAND", json.dumps(TOY))
        bench = LocalBench(tmp_path)
        yield bench
        bench.finish()

    def deliver(self, launcher: Launcher, launch: Launch) -> None:
        assert isinstance(launcher, LocalLauncher)
        arguments = [str(launch.run_dir), "--claim", launch.claim]
        launcher._starting[launch.run_dir] = launcher._spawn(arguments, launch.env, subprocess.DEVNULL)


class FakeBench:
    def __init__(self) -> None:
        self.cluster = FakeCluster()

    def launcher(self) -> FakeLauncher:
        return FakeLauncher(self.cluster)

    def lose(self, run_dir: Path) -> None:
        self.cluster.lose(run_dir)


class TestFakeLauncher(LauncherConformance):
    @pytest.fixture
    def bench(self) -> FakeBench:
        return FakeBench()

    def deliver(self, launcher: Launcher, launch: Launch) -> None:
        assert isinstance(launcher, FakeLauncher)
        launcher.cluster.runs.append(FakeRun(launch))
