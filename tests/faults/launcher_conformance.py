"""What any launcher must do. Another one is tested by a class of its own that gives a ``Bench``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Protocol

import pytest

from jobs.engine.launcher import Launch, Launcher, Liveness
from studio_core.base import atomic
from studio_core.base.states import Stop
from studio_core.runs import run_folder
from tests.conftest import wait_until

FOREVER = {"steps": 100_000, "pause": 0.02}


class Bench(Protocol):
    def launcher(self) -> Launcher:
        """Another one for the same runs, as a restarted engine has it."""

    def lose(self, run_dir: Path) -> None:
        """Make what looks after the run vanish, as a broken machine would."""


class LauncherConformance:
    @pytest.fixture
    def launcher(self, bench: Bench) -> Launcher:
        return bench.launcher()

    @pytest.fixture
    def run_dir(self, tmp_path: Path) -> Path:
        folder = tmp_path / "runs" / "1"
        folder.mkdir(parents=True)
        return folder

    def test_a_run_lives_ends_and_leaves_its_record(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, steps=5, pause=0.02))
        said = []
        while not said or said[-1] is not Liveness.ENDED:
            said.append(launcher.poll(run_dir))
            time.sleep(0.005)
        assert Liveness.ALIVE in said
        first = said.index(Liveness.ALIVE)
        assert set(said[:first]) <= {Liveness.UNKNOWN}  # Never ended before it lived.
        record = exit_record(run_dir)
        assert (record["returncode"], record["stop"], record["signal"]) == (0, None, None)
        assert steps(run_dir) == [1, 2, 3, 4, 5]
        assert types(run_dir)[-1] == "result"
        assert launcher.poll(run_dir) is Liveness.ENDED

    def test_a_start_does_not_wait_for_the_run(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, **FOREVER))
        assert launcher.poll(run_dir) is not Liveness.ENDED
        cancel(launcher, run_dir)

    def test_two_starts_come_to_life_once(self, bench: Bench, launcher: Launcher, run_dir: Path) -> None:
        launch = order(run_dir, steps=5, pause=0.05)
        launcher.start(launch)
        bench.launcher().start(launch)
        await_end(launcher, run_dir)
        bench.launcher().start(launch)  # And once more, when it is over.
        await_end(launcher, run_dir)
        assert starts(run_dir) == 1
        assert steps(run_dir) == [1, 2, 3, 4, 5]

    def test_nothing_is_known_of_a_run_that_was_never_started(
        self, launcher: Launcher, run_dir: Path
    ) -> None:
        assert launcher.poll(run_dir) is Liveness.ENDED
        assert launcher.logs(run_dir, 1000) == ""
        assert launcher.withdraw(run_dir)
        assert launcher.withdraw(run_dir.with_name("2"))

    def test_a_start_that_was_withdrawn_never_comes_to_life(self, launcher: Launcher, run_dir: Path) -> None:
        late = order(run_dir, steps=2)
        late.write()
        assert launcher.withdraw(run_dir)
        self.deliver(launcher, late)
        await_end(launcher, run_dir)
        assert starts(run_dir) == 0 and not (run_dir / run_folder.EXIT).exists()
        launcher.start(order(run_dir, claim="another", steps=2))
        await_end(launcher, run_dir)
        assert starts(run_dir) == 1
        assert (atomic.read_json(run_dir / run_folder.SUPERVISOR) or {})["claim"] == "another"

    def deliver(self, launcher: Launcher, launch: Launch) -> None:
        """Let a start arrive that was sent long ago: it does not write who may start."""
        raise NotImplementedError

    def test_what_lives_or_lived_cannot_be_withdrawn(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, **FOREVER))
        await_life(launcher, run_dir)
        assert not launcher.withdraw(run_dir)
        cancel(launcher, run_dir)
        assert not launcher.withdraw(run_dir)

    def test_stop_and_save_lets_the_run_save(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, **FOREVER))
        await_steps(launcher, run_dir, 2)
        launcher.stop(run_dir, Stop.SAVE, 20)
        launcher.stop(run_dir, Stop.SAVE, 20)
        await_end(launcher, run_dir)
        record = exit_record(run_dir)
        assert (record["stop"], record["returncode"], record["forced"]) == ("save", 0, False)
        assert types(run_dir)[-1] == "result"

    def test_cancel_ends_it_at_once(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, **FOREVER))
        await_steps(launcher, run_dir, 1)
        cancel(launcher, run_dir)
        assert exit_record(run_dir)["stop"] == "cancel"
        assert "result" not in types(run_dir)

    def test_a_stop_before_the_start_holds(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.stop(run_dir, Stop.CANCEL, 5)
        launcher.start(order(run_dir, steps=2))
        await_end(launcher, run_dir)
        assert (exit_record(run_dir)["stop"], exit_record(run_dir)["returncode"]) == ("cancel", None)
        assert starts(run_dir) == 0

    def test_a_time_limit_holds_without_an_engine(self, launcher: Launcher, run_dir: Path) -> None:
        # Longer than a worker takes to listen for a stop, also on a busy machine.
        launcher.start(order(run_dir, seconds=3.0, **FOREVER))
        await_end(launcher, run_dir)
        record = exit_record(run_dir)
        assert (record["stop"], record["timed_out"], record["returncode"]) == ("save", True, 0)

    def test_another_engine_finds_the_run_and_stops_it(
        self, bench: Bench, launcher: Launcher, run_dir: Path
    ) -> None:
        launcher.start(order(run_dir, **FOREVER))
        await_life(launcher, run_dir)
        launcher.close()
        second = bench.launcher()
        assert second.poll(run_dir) is Liveness.ALIVE
        known = len(steps(run_dir))
        await_steps(second, run_dir, known + 2)
        second.stop(run_dir, Stop.SAVE, 20)
        await_end(second, run_dir)
        assert steps(run_dir) == list(range(1, len(steps(run_dir)) + 1))

    def test_a_lost_run_has_ended_without_a_record(
        self, bench: Bench, launcher: Launcher, run_dir: Path
    ) -> None:
        launcher.start(order(run_dir, **FOREVER))
        await_steps(launcher, run_dir, 2)
        bench.lose(run_dir)
        await_end(launcher, run_dir)
        assert not (run_dir / run_folder.EXIT).exists()
        there = steps(run_dir)
        assert launcher.poll(run_dir) is Liveness.ENDED
        assert steps(run_dir) == there

    def test_logs_are_the_end_of_what_was_printed(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, steps=1))
        await_end(launcher, run_dir)
        assert launcher.logs(run_dir, 10_000).endswith("toy begins\n")
        with open(run_dir / run_folder.LOG, "a") as log:
            log.writelines(f"line {number}\n" for number in range(1000))
        assert launcher.logs(run_dir, 22) == "line 998\nline 999\n"

    def test_warming_and_letting_go_do_no_harm(self, launcher: Launcher, run_dir: Path) -> None:
        launcher.start(order(run_dir, steps=2))
        launcher.keep_warm([])
        launcher.close()
        await_end(launcher, run_dir)
        assert exit_record(run_dir)["returncode"] == 0


def order(
    run_dir: Path, claim: str = "claim", seconds: float | None = None, grace: float = 20, **spec: Any
) -> Launch:
    atomic.write_json(run_dir / run_folder.SPEC, spec)
    return Launch(run_dir, claim, seconds, grace, "", {"OMP_NUM_THREADS": "1"})


def await_life(launcher: Launcher, run_dir: Path) -> None:
    wait_until(lambda: launcher.poll(run_dir) is Liveness.ALIVE, what="the run lives")


def await_end(launcher: Launcher, run_dir: Path) -> None:
    wait_until(lambda: launcher.poll(run_dir) is Liveness.ENDED, what="the run ends")


def await_steps(launcher: Launcher, run_dir: Path, count: int) -> None:
    def done() -> bool:
        launcher.poll(run_dir)
        return len(steps(run_dir)) >= count

    wait_until(done, what=f"{count} steps")


def cancel(launcher: Launcher, run_dir: Path) -> None:
    launcher.stop(run_dir, Stop.CANCEL, 5)
    await_end(launcher, run_dir)


def exit_record(run_dir: Path) -> dict[str, Any]:
    record = atomic.read_json(run_dir / run_folder.EXIT)
    assert record is not None
    return record


def events(run_dir: Path) -> list[dict[str, Any]]:
    path = run_dir / run_folder.EVENTS
    return [json.loads(line) for _, line in run_folder.new_lines(path, 0)] if path.exists() else []


def types(run_dir: Path) -> list[str]:
    return [event["type"] for event in events(run_dir)]


def steps(run_dir: Path) -> list[int]:
    return [event["step"] for event in events(run_dir) if event["type"] == "metrics"]


def starts(run_dir: Path) -> int:
    path = run_dir / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0
