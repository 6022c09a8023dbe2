"""The engine: a click to the first training step, claims, ingest, and what it costs to do nothing.

Promised: first step within 1.5 s with a warm worker (median of 10), under 1 % of a core idle.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from sqlalchemy import insert

from jobs.engine.ingest import Ingest
from studio_core import clock, engine_process, queue, training
from studio_core.data import store
from studio_core.engine_process import engine_alive, ensure_engine
from studio_core.models import registry
from studio_core.run_folder import EventWriter
from studio_core.spec import TrainSpec
from studio_core.states import TERMINAL, State
from studio_core.studio import Studio, open_studio
from studio_core.tables import Device, Job

SPEC = TrainSpec(
    method="sft", model="tiny-base", dataset="tiny-sft-chat", options={"max_steps": 2}, prompts=["Hello"]
)


def main() -> None:
    show("click to first step, warm worker", click(warm=True))
    show("click to first step, cold", click(warm=False))
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home)
        print(f"claim and finish                     {claims(studio):8.0f} jobs/s")
        print(f"ingest                               {ingest(studio):8.0f} rows/s")
        studio.close()
    for count in (1, 10_000):
        share, megabytes = idle(count)
        print(f"idle engine, {count:6} jobs in the table  {share:8.2f} % of a core, {megabytes:.0f} MB")


def show(name: str, seconds: list[float]) -> None:
    middle, worst = statistics.median(seconds), max(seconds)
    print(f"{name:36} {middle:8.2f} s median of {len(seconds)}, worst {worst:.2f}", flush=True)


def click(warm: bool) -> list[float]:
    """Seconds from ``submit`` until the first step is in the database, as the page sees it."""
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home, warm_workers=int(warm))
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        training.plan(studio, SPEC)  # The page has shown the plan before the click.
        ensure_engine(studio)
        found = [one_click(studio, warm) for _ in range(10 if warm else 3)]
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
    pid = json.loads((studio.settings.home / engine_process.LOCK).read_text())["pid"]
    os.kill(pid, signal.SIGTERM)
    while engine_alive(studio):
        time.sleep(0.02)
    studio.close()


def claims(studio: Studio, count: int = 500) -> float:
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


def ingest(studio: Studio, rows: int = 50_000) -> float:
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


def idle(count: int, seconds: float = 10.0) -> tuple[float, float]:
    """Share of a core, in percent, and megabytes resident, of an engine with nothing to do."""
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home, warm_workers=0)
        ended = {"kind": "train", "name": "bench", "spec": {}, "state": "succeeded", "latest": {}, "step": 0}
        ended |= {"resolved": {}, "events_offset": 0, "finished_at": clock.now()}
        with studio.db.write() as session:
            session.execute(insert(Job), [{**ended, "position": number} for number in range(count)])
        ensure_engine(studio)
        engine = psutil.Process(json.loads((studio.settings.home / engine_process.LOCK).read_text())["pid"])
        time.sleep(2)
        before = sum(engine.cpu_times()[:2])
        time.sleep(seconds)
        share = 100 * (sum(engine.cpu_times()[:2]) - before) / seconds
        megabytes = engine.memory_info().rss / 1e6
        end_engine(studio)
    return share, megabytes


if __name__ == "__main__":
    main()
