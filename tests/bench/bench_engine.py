"""The engine: a click to the first training step, adoption, claims, ingest, and what it costs to do nothing.

Promised: with a warm worker the first step takes at most 4 times a bare loop's loading and step, without one
at most 1.5 times its imports, loading and step; a live run is adopted within 4 times the engine's imports; an idle
engine takes under 1 % of a core, whatever the number of jobs. ``python -m tests.bench.bench_engine click``
measures one part alone. All takes about five minutes: a warm worker is replaced 8 s after it was used, and then
needs its imports.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from sqlalchemy import func, insert, select

from jobs.engine.ingest import Ingest
from studio_core import training
from studio_core.base import clock
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Device, Job, Metric
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.engine_process import engine_alive, ensure_engine
from studio_core.runs.run_folder import EventWriter
from studio_core.runs.spec import TrainSpec
from tests.bench import floor
from tests.bench.processes import end_all, engine_pid
from tests.bench.sizes import size

SPEC = TrainSpec(
    method="sft", model="tiny-base", dataset="tiny-sft-chat", options={"max_steps": 2}, prompts=["Hello"]
)


def main(wanted: list[str]) -> None:
    for name, part in PARTS.items():
        if not wanted or name in wanted:
            part()


def clicks() -> None:
    """Beside a bare loop in a process of its own: a warm worker has its imports, a cold one has not."""
    steps = [floor.step() for _ in range(size("REPEATS", 5, 1))]
    for warm, seconds in ((True, [rest for _, rest in steps]), (False, list(map(sum, steps)))):
        kind = "warm" if warm else "cold"
        show(f"a bare loop's first step, {kind}", seconds)
        compare(f"click to first step, {kind}", click(warm), seconds, 4.0 if warm else 1.5)


def rates() -> None:
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home)
        print(f"claim and finish                     {claims(studio):8.0f} jobs/s", flush=True)
        print(f"ingest                               {ingest(studio):8.0f} rows/s", flush=True)
        studio.close()


def idleness() -> None:
    for count in (1, 100, size("JOBS", 10_000, 100)):
        share, megabytes = idle(count)
        print(
            f"idle engine, {count:6} jobs in the table  {share:8.2f} % of a core, {megabytes:.0f} MB",
            flush=True,
        )


def show(name: str, seconds: list[float]) -> None:
    middle, worst = statistics.median(seconds), max(seconds)
    print(f"\r{name:36} {middle:8.2f} s median of {len(seconds)}, worst {worst:.2f}", flush=True)


def compare(name: str, seconds: list[float], floors: list[float], promise: float) -> None:
    show(name, seconds)
    ratio = statistics.median(seconds) / statistics.median(floors)
    print(f"{'    ratio':36} {ratio:8.2f} (promised {promise:g})", flush=True)


def click(warm: bool) -> list[float]:
    """Seconds from ``submit`` until the first step is in the database, as the page sees it."""
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home, warm_workers=int(warm))
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        training.plan(studio, SPEC)  # The page has shown the plan before the click.
        ensure_engine(studio)
        found: list[float] = []
        for number in range(size("CLICKS", 10 if warm else 3, 1)):
            print(f"\rclick {number + 1} ... ", end="", flush=True)
            found.append(one_click(studio, warm))
        end_engine(studio)
    return found


def one_click(studio: Studio, warm: bool) -> float:
    while warm and not list((studio.settings.home / "warm").glob("*/ready")):
        time.sleep(0.05)
    begin = time.perf_counter()
    job = training.submit(studio, SPEC)
    while queue.get(studio, job.id).step < 1:
        time.sleep(0.005)
    seconds = time.perf_counter() - begin
    while queue.get(studio, job.id).state not in TERMINAL:
        time.sleep(0.05)
    return seconds


def end_engine(studio: Studio) -> None:
    end_all(studio.settings.home)
    studio.close()


def claims(studio: Studio, count: int = size("JOBS", 500, 20)) -> float:
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU")])
    for _ in range(count):
        queue.submit(studio, kind="train", name="bench", spec={})
    slots = queue.devices(studio)
    begin = time.perf_counter()
    while waiting := queue.startable(studio, slots):
        job = queue.claim(studio, waiting[0][0].id, ["cpu:0"])
        assert job is not None
        queue.finish(studio, job, State.SUCCEEDED)
    return count / (time.perf_counter() - begin)


def ingest(studio: Studio, rows: int = size("ROWS", 50_000, 500)) -> float:
    job = queue.submit(studio, kind="train", name="bench", spec={})
    folder = Path(job.run_dir or "")
    folder.mkdir()
    events = EventWriter(folder)
    for step in range(rows):
        events.write("metrics", step=step, total_steps=rows, values={"loss": 1.0, "learning_rate": 1e-4})
    events.close()
    begin = time.perf_counter()
    Ingest(studio, job.id, folder, 0).drain()
    return rows / (time.perf_counter() - begin)


def toys(**settings: int) -> Studio:
    """A studio whose engine starts workers without torch."""
    home = tempfile.mkdtemp(prefix="bench-")
    os.environ["TUNESMITH_WORKER_COMMAND"] = json.dumps([sys.executable, "-m", "tests.faults.toy_worker"])
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    studio = open_studio(home=home, warm_workers=0, **settings)
    ensure_engine(studio)
    return studio


def end_toys(studio: Studio) -> None:
    for job in [*queue.waiting(studio), *queue.live(studio)]:
        queue.request_stop(studio, job.id, Stop.CANCEL)
    while queue.live(studio):
        time.sleep(0.05)
    end_engine(studio)
    shutil.rmtree(studio.settings.home)
    del os.environ["TUNESMITH_WORKER_COMMAND"]


def eight_runs(seconds: float = size("SECONDS", 20, 2)) -> None:
    """Rows stored each second, how old the newest row is when somebody looks, and the engine's share."""
    studio = toys(cpu_runs=8)
    jobs = [
        queue.submit(studio, kind="toy", name="bench", spec={"steps": 10**6, "pause": 0.0095})
        for _ in range(8)
    ]
    while min(queue.get(studio, job.id).step for job in jobs) < 100:
        time.sleep(0.1)
    engine = psutil.Process(engine_pid(studio.settings.home))
    lags, before, used = [], steps(studio, jobs), sum(engine.cpu_times()[:2])
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        time.sleep(0.05)
        newest = select(func.max(Metric.at)).where(Metric.job_id == jobs[len(lags) % 8].id)
        with studio.db.read() as session:
            lags.append((clock.now() - session.scalars(newest).one()).total_seconds())
    taken = time.perf_counter() - begin
    rate = (steps(studio, jobs) - before) / taken
    share = 100 * (sum(engine.cpu_times()[:2]) - used) / taken
    worst = statistics.quantiles(lags, n=20)[-1]
    print(f"8 runs of 100 rows/s: stored         {rate:8.0f} rows/s, engine {share:.0f} % of a core")
    print(
        f"    age of the newest row            {statistics.median(lags):8.2f} s median, {worst:.2f} s 95 %",
        flush=True,
    )
    end_toys(studio)


def steps(studio: Studio, jobs: list[Job]) -> int:
    return sum(queue.get(studio, job.id).step for job in jobs)


def adoptions(repeats: int = size("REPEATS", 5, 1)) -> None:
    """Seconds from the start of a new engine until it stores what the run of a killed one reports."""
    studio = toys(cpu_runs=1)
    job = queue.submit(studio, kind="toy", name="bench", spec={"steps": 10**6, "pause": 0.05})
    found = []
    for _ in range(repeats):
        while queue.get(studio, job.id).step < 10 or queue.get(studio, job.id).state != State.RUNNING:
            time.sleep(0.05)
        os.kill(engine_pid(studio.settings.home), signal.SIGKILL)
        while engine_alive(studio):
            time.sleep(0.01)
        known = queue.get(studio, job.id).step
        begin = time.perf_counter()
        ensure_engine(studio)
        while queue.get(studio, job.id).step <= known:
            time.sleep(0.01)
        found.append(time.perf_counter() - begin)
    floors = [floor.engine() for _ in range(repeats)]
    show("imports of the engine", floors)
    compare("adoption by a new engine", found, floors, 4.0)
    end_toys(studio)


def idle(count: int, seconds: float = size("SECONDS", 10, 1)) -> tuple[float, float]:
    """Share of a core, in percent, and megabytes resident, of an engine with nothing to do."""
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home, warm_workers=0)
        ended = {"kind": "train", "name": "bench", "spec": {}, "state": "succeeded", "latest": {}, "step": 0}
        ended |= {"resolved": {}, "events_offset": 0, "finished_at": clock.now()}
        with studio.db.write() as session:
            session.execute(insert(Job), [{**ended, "position": number} for number in range(count)])
        ensure_engine(studio)
        engine = psutil.Process(engine_pid(studio.settings.home))
        time.sleep(2)
        before = sum(engine.cpu_times()[:2])
        time.sleep(seconds)
        share = 100 * (sum(engine.cpu_times()[:2]) - before) / seconds
        megabytes = engine.memory_info().rss / 1e6
        end_engine(studio)
    return share, megabytes


PARTS = {"rates": rates, "idle": idleness, "runs": eight_runs, "adoption": adoptions, "click": clicks}

if __name__ == "__main__":
    main(sys.argv[1:])
