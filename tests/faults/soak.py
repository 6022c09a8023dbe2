"""A long walk at random: ``make soak``, one hour; ``SOAK_MINUTES=3`` for a trial, ``SOAK_SEED`` for another walk.

A whole studio (page, engine, supervisors, toy workers on two imagined GPUs) is used and
harmed at random. After every step the invariants of ``tests/invariants.py`` are checked, and
that no process of a run outlives it. At the end a report is printed, and written with ``--report``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from jobs.engine import tree
from studio_core.base import atomic
from studio_core.base.errors import StudioError
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Job
from studio_core.runs import order, queue, run_folder
from studio_core.runs.engine_process import LOCK, engine_alive, ensure_engine
from tests.browser.conftest import free_port
from tests.invariants import Ledger

ROOT = Path(__file__).resolve().parents[2]
STUCK = 120.0
"""Seconds after which a live run that did not change is called stuck: the longest lasts 40."""
LEFT_ALONE = 0.75
"""From this share of the time on the engine is not harmed any more, so that a leak of it shows."""

WEIGHTS = {
    "submit": 30,
    "cancel": 8,
    "stop and save": 6,
    "resume": 6,
    "pause or go on": 4,
    "move": 4,
    "priority": 3,
    "worker killed": 6,
    "supervisor killed": 5,
    "engine killed": 3,
    "engine ended": 1,
    "engine frozen": 1,
    "page killed": 1.5,
    "database locked": 0.5,
}
ON_ENGINE = {"engine killed", "engine ended", "engine frozen"}


@dataclass
class Life:
    """Memory and open files of one process at its first and last look."""

    begun: float
    memory: tuple[int, int]
    files: tuple[int, int]
    seconds: float = 0.0


class Soak:
    def __init__(self, home: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.env = {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/faults/two_gpus"), str(ROOT)]),
            "TUNESMITH_WORKER_COMMAND": json.dumps([sys.executable, "-m", "tests.faults.toy_worker"]),
            "TUNESMITH_WARM_WORKERS": "2",
            "TUNESMITH_STOP_GRACE": "3",
        }
        os.environ.update(self.env)  # Whoever starts the engine, it is the same one.
        self.studio: Studio = open_studio(home=home)
        self.ledger = Ledger(self.studio)
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.broken: list[str] = []
        self.lives: dict[tuple[str, int], Life] = {}
        self.port = free_port()
        self.web: subprocess.Popen[bytes] | None = None
        self.web_due = 0.0
        self.seen: dict[int, tuple[float, tuple[str, int]]] = {}

    # --- what people do ----------------------------------------------------------------

    def submit(self) -> None:
        if len(queue.waiting(self.studio)) > 12:
            return
        spec: dict[str, Any] = {"kind": "toy", "steps": self.chance.randint(5, 120), "pause": 0.25}
        spec["pause"] = self.chance.choice([0.05, 0.1, 0.3])
        step = self.chance.randint(1, spec["steps"])
        spec["fault"] = self.chance.choice([None] * 6 + ["ignore", "ranks", f"kill at {step}"])
        if self.chance.random() < 0.15:
            spec["gpus"] = 2
        if self.chance.random() < 0.2:
            spec["checkpoints"] = [step]
        if self.chance.random() < 0.1:
            spec["time_limit"] = 4 / 3600
        after = self.chance.choice([None] * 5 + [job.id for job in self.jobs()[:5]])
        job = queue.submit(
            self.studio, kind="toy", name="soak", spec=spec, after_id=after,
            idempotency_key=str(self.chance.getrandbits(64)),
        )  # fmt: skip
        self.ledger.acknowledged.add(job.id)

    def cancel(self) -> None:
        self.ask(Stop.CANCEL, [*queue.waiting(self.studio), *queue.live(self.studio)])

    def stop_and_save(self) -> None:
        self.ask(Stop.SAVE, queue.live(self.studio))

    def ask(self, stop: Stop, jobs: Any) -> None:
        if jobs:
            queue.request_stop(self.studio, self.chance.choice(jobs).id, stop)

    def resume(self) -> None:
        ended = [job for job in self.jobs() if job.state in TERMINAL and job.state != State.SUCCEEDED]
        if ended:
            earlier = self.chance.choice(ended)
            spec = {**earlier.spec, "fault": None}
            job = queue.submit(self.studio, kind="toy", name="soak", spec=spec, resumes_id=earlier.id)
            self.ledger.acknowledged.add(job.id)

    def pause_or_go_on(self) -> None:
        queue.pause(self.studio, not queue.is_paused(self.studio))

    def move(self) -> None:
        if waiting := queue.waiting(self.studio):
            place: Any = self.chance.choice(["first", "up", "down", "last"])
            order.move(self.studio, self.chance.choice(waiting).id, place)

    def priority(self) -> None:
        if waiting := queue.waiting(self.studio):
            order.set_priority(self.studio, self.chance.choice(waiting).id, self.chance.randint(-2, 2))

    # --- what befalls them -------------------------------------------------------------

    def worker_killed(self) -> None:
        marks = self.marked()
        bearing = [pid for job in queue.live(self.studio) for pid in marks.get(mark_of(job), [])]
        if bearing:
            kill(self.chance.choice(bearing))

    def supervisor_killed(self) -> None:
        records = [atomic.read_json(folder(job) / run_folder.SUPERVISOR) for job in queue.live(self.studio)]
        if known := [record for record in records if record]:
            record = self.chance.choice(known)
            with suppress(FileNotFoundError):
                if tree.start_ticks(record["pid"]) == record["ticks"]:
                    kill(record["pid"])

    def engine_killed(self) -> None:
        if pid := self.engine():
            kill(pid)

    def engine_ended(self) -> None:
        if pid := self.engine():
            kill(pid, signal.SIGTERM)

    def engine_frozen(self) -> None:
        if pid := self.engine():
            kill(pid, signal.SIGSTOP)
            time.sleep(self.chance.uniform(0.5, 3))
            kill(pid, signal.SIGCONT)

    def page_killed(self) -> None:
        if self.web is not None:
            self.web.kill()
            self.web.wait()
            self.web = None
            self.web_due = time.monotonic() + self.chance.uniform(1, 10)

    def database_locked(self) -> None:
        with self.studio.db.write():
            time.sleep(self.chance.uniform(1, 7))

    # --- looking -----------------------------------------------------------------------

    def jobs(self) -> list[Job]:
        return list(queue.all_jobs(self.studio, limit=40))

    def engine(self) -> int | None:
        if not engine_alive(self.studio):
            return None
        with suppress(ValueError):  # It is just writing.
            return int(json.loads((self.studio.settings.home / LOCK).read_text())["pid"])
        return None

    def marked(self) -> dict[str, list[int]]:
        """Living processes by the mark of their run."""
        found: dict[str, list[int]] = {}
        sought = f"{tree.MARK}=".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                if (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX":
                    continue
                for part in (entry / "environ").read_bytes().split(b"\0"):
                    if part.startswith(sought):
                        found.setdefault(part[len(sought) :].decode(), []).append(int(entry.name))
        return found

    def look(self) -> None:
        """Check every invariant, and note what the processes hold."""
        found = self.ledger.broken()
        jobs = queue.all_jobs(self.studio, limit=1_000_000)
        marks = self.marked()
        for job in jobs:
            starts = folder(job) / "starts"
            begun = starts.read_text().count("\n") if starts.exists() else 0
            if begun > 1:
                found.append(f"job {job.id} was begun by {begun} workers")
            if job.state in TERMINAL and (left := marks.get(mark_of(job))):
                found.append(f"job {job.id} is {job.state} and {left} of its processes live")
            if job.state in TERMINAL or job.state == State.QUEUED:
                self.seen.pop(job.id, None)
                continue
            since, before = self.seen.get(job.id, (time.monotonic(), ("", -1)))
            now = (job.state, job.step)
            self.seen[job.id] = (since if before == now else time.monotonic(), now)
            if before == now and time.monotonic() - since > STUCK:
                found.append(f"job {job.id} has been {job.state} at step {job.step} for {STUCK:.0f} s")
        for sentence in found:
            if sentence not in self.broken:
                self.broken.append(sentence)
                print(f"BROKEN after {self.ledger.checks} checks: {sentence}", flush=True)
        self.measure("engine", self.engine())
        self.measure("page", self.web.pid if self.web else None)

    def measure(self, name: str, pid: int | None) -> None:
        if pid is None:
            return
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            held = process.memory_info().rss, process.num_fds()
            age = time.time() - process.create_time()
            if age < 10:
                return  # It is still being loaded.
            life = self.lives.setdefault((name, process.pid), Life(age, (held[0],) * 2, (held[1],) * 2))
            life.memory, life.files = (life.memory[0], held[0]), (life.files[0], held[1])
            life.seconds = age - life.begun

    # --- the walk ----------------------------------------------------------------------

    def walk(self, seconds: float) -> None:
        actions: dict[str, Callable[[], None]] = {
            name: getattr(self, name.replace(" ", "_")) for name in WEIGHTS
        }
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            quiet = passed > LEFT_ALONE * seconds
            names = [name for name in WEIGHTS if not (quiet and name in ON_ENGINE)]
            name = self.chance.choices(names, [WEIGHTS[name] for name in names])[0]
            if name == "pause or go on" and self.chance.random() < 0.5 and not queue.is_paused(self.studio):
                continue  # So that it is paused for a third of the time and not for half.
            self.keep_page()
            try:
                actions[name]()
                self.done[name] += 1
            except StudioError as error:
                self.refused[f"{name}: {error.key}"] += 1
            self.look()
            time.sleep(self.chance.uniform(0.3, 1.2))

    def keep_page(self) -> None:
        if self.web is None and time.monotonic() >= self.web_due:
            with open(self.studio.settings.home / "web.out", "ab") as output:
                command = [sys.executable, "-m", "app", "--home", str(self.studio.settings.home)]
                self.web = subprocess.Popen(
                    [*command, "--port", str(self.port)], cwd=ROOT, stdout=output, stderr=output
                )

    def finish(self, patience: float = 180) -> None:
        """Let all end: nothing may be left in the queue, and no process of a run."""
        queue.pause(self.studio, False)
        ensure_engine(self.studio)
        deadline = time.monotonic() + patience
        while [job for job in self.jobs() if job.state not in TERMINAL] and time.monotonic() < deadline:
            for job in queue.waiting(self.studio):
                earlier = queue.predecessor(self.studio, job)
                if earlier is not None and earlier.state in TERMINAL and earlier.state != State.SUCCEEDED:
                    with suppress(StudioError):
                        queue.request_stop(self.studio, job.id, Stop.CANCEL)
            self.look()
            time.sleep(1)
        self.look()
        every = queue.all_jobs(self.studio, limit=1_000_000)
        self.broken += [
            f"job {job.id} did not end: {job.state}" for job in every if job.state not in TERMINAL
        ]
        for job in every:
            whole = job.state == State.SUCCEEDED and job.cause is None
            if whole and self.ledger.newest.get(job.id, (0, 0))[1] != job.spec["steps"]:
                self.broken.append(
                    f"job {job.id} succeeded with {self.ledger.newest.get(job.id)} of its steps"
                )
        if self.web:
            self.web.terminate()
            self.web.wait(20)
        if pid := self.engine():
            kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while (engine_alive(self.studio) or self.ours()) and time.monotonic() < deadline:
            time.sleep(0.1)
        if left := self.ours():
            self.broken.append(f"{left} live after the end of the engine")
        with self.studio.db.read() as session:
            sound = session.connection().exec_driver_sql("PRAGMA integrity_check").scalar()
        if sound != "ok":
            self.broken.append(f"the database is not sound: {sound}")

    def ours(self) -> list[int]:
        """Processes that bear a mark and have this data folder in their command line or environment."""
        home = str(self.studio.settings.home).encode()
        found = []
        for pid in (pid for pids in self.marked().values() for pid in pids):
            with suppress(OSError):
                if home in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def report(self, seconds: float, seed: int) -> str:
        every = queue.all_jobs(self.studio, limit=1_000_000)
        ends = Counter(f"{job.state}{f', {job.cause}' if job.cause else ''}" for job in every)
        lines = [
            "# Soak",
            "",
            f"{seconds / 60:.0f} minutes, seed {seed}, {os.cpu_count()} cores, load at the end "
            f"{os.getloadavg()[0]:.1f}: a page, an engine and toy workers on two imagined GPUs, used and harmed at "
            "random. `make soak` does it again.",
            "",
            f"**{len(every)} runs, {self.ledger.checks} checks of all invariants, "
            f"{len(self.broken) or 'none'} broken.**",
            "",
            *[f"- BROKEN: {sentence}" for sentence in self.broken],
            "",
            "| what was done, or tried where there was nothing to do it to | times |",
            "|---|---|",
            *[f"| {name} | {self.done[name]} |" for name in WEIGHTS],
            "",
            "| how runs ended | runs |",
            "|---|---|",
            *[f"| {end} | {n} |" for end, n in ends.most_common()],
            "",
            "| refused, with a sentence | times |",
            "|---|---|",
            *[f"| {what} | {n} |" for what, n in self.refused.most_common()],
            "",
            "| process | lives | the longest | its memory, first and last | its open files |",
            "|---|---|---|---|---|",
            *[self.line(name) for name in ("engine", "page")],
            "",
        ]
        return "\n".join(lines)

    def line(self, name: str) -> str:
        lives = [life for (whose, _), life in self.lives.items() if whose == name]
        if not lives:
            return f"| {name} | 0 | | | |"
        longest = max(lives, key=lambda life: life.seconds)
        memory = " to ".join(f"{held / 1e6:.1f}" for held in longest.memory)
        files = " to ".join(str(held) for held in longest.files)
        return f"| {name} | {len(lives)} | {longest.seconds / 60:.1f} min | {memory} MB | {files} |"


def folder(job: Job) -> Path:
    return Path(job.run_dir or "")


def mark_of(job: Job) -> str:
    record = atomic.read_json(folder(job) / run_folder.SUPERVISOR)
    return str(record["tree"]) if record else ""


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", "60")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SOAK_SEED", "1")))
    parser.add_argument("--report", type=Path, help="where the report is written too")
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="soak-")) / "home"
    soak = Soak(home, given.seed)
    begin = time.monotonic()
    soak.walk(60 * given.minutes)
    soak.finish()
    text = soak.report(time.monotonic() - begin, given.seed)
    print(text)
    if given.report:
        given.report.write_text(text)
    if soak.broken:
        print(f"What is left stands in {home}")
    return int(bool(soak.broken))


if __name__ == "__main__":
    sys.exit(main())
