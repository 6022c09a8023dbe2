"""The engine: acts on the rows of the queue, over and over.

Each tick looks at every live run (ingest, stop, end) and starts what can start. All of
it can be killed at any instant and begun again: what is true stands in the database and
in the run folders, and every step may be done twice.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.engine import devices, ending, telling, tree
from jobs.engine.ending import Ending
from jobs.engine.followers import Followers
from jobs.engine.ingest import Ingest
from jobs.engine.launcher import Launch, Launcher, Liveness
from studio_core.base import atomic
from studio_core.base.errors import BadInput
from studio_core.base.gpus import Gpus
from studio_core.base.states import Cause, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Device, Job
from studio_core.keeping import deleting
from studio_core.runs import kinds, metrics, queue, run_folder
from studio_core.runs.kinds import kind_of
from studio_core.runs.slots import card
from studio_core.training import chains

log = logging.getLogger(__name__)

# A look is one PRAGMA while nothing was committed: 0.4 % of a core with 10,000 jobs in the table.
TICK = 0.04
"""Seconds between two looks: a click is noticed within this time, at under 1 % of a core."""
# Others come and go in minutes, and a look reads the environment of every process on a card.
LOOK = 5.0
"""Seconds between two looks at what other programs do on the GPUs."""
FRESH = 0.5
"""How old, in seconds, a look may be when a run is about to start on a GPU."""
TIDY = 600.0
"""Seconds between two looks at what was deleted a day ago."""
# Twice, since the first may have died of something that has passed; more would hide a fault that stays.
STARTS = 2
"""How often a run whose supervisor died before it took the run is started in all."""


@dataclass
class Run:
    """A live job as the engine follows it."""

    job: Job
    folder: Path
    ingest: Ingest
    stop_sent: str | None = None


class Engine:
    def __init__(self, studio: Studio, launcher: Launcher) -> None:
        self.studio = studio
        self.launcher = launcher
        self.runs: dict[int, Run] = {}
        self._followers = Followers(studio.settings)
        self._watch = studio.db.watch()
        self._stale = True
        self._starts: dict[int, int] = {}
        self._troubles: set[str] = set()
        self._devices: list[Device] = []
        self._gpus = Gpus()
        # So that the first tick looks.
        self._looked = -LOOK
        self._tidied = time.monotonic()

    def run(self, stopped: threading.Event) -> None:
        """Until ``stopped`` is set, or the data folder is gone."""
        queue.set_devices(self.studio, devices.detect_slots(self.studio.settings, self._gpus))
        self._devices = list(queue.devices(self.studio))
        notices = telling.begin(self.studio, stopped)
        while not stopped.wait(TICK) and self.studio.settings.database.exists():
            self.tick()
        # What is on its way may arrive; if it takes longer, it is sent again under the same id.
        notices.join(telling.EVERY)
        self._watch.close()
        self.launcher.close()

    def tick(self) -> None:
        # Each part is guarded alone: one run whose folder is gone does not keep the others from ending.
        with self._surviving("the GPUs"):
            self._look_at_gpus(LOOK)
        with self._surviving("the queue"):
            if self._watch.changed() or self._stale:
                self._stale = True  # Until both have been carried out whole.
                self._read_rows()
                self._start_waiting()
                self._stale = False
        for run in list(self.runs.values()):
            with self._surviving(f"job {run.job.id}"):
                self._attend(run)
        with self._surviving("the trash"):
            self._tidy()
        with self._surviving("warm workers"):
            self.launcher.keep_warm(self._masks_to_warm())

    def _surviving(self, what: str) -> _Surviving:
        return _Surviving(what, self._troubles)

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied > TIDY:
            self._tidied = time.monotonic()
            deleting.tidy(self.studio)

    # --- what the rows say -----------------------------------------------------------

    def _read_rows(self) -> None:
        live = {job.id: job for job in queue.live(self.studio)}
        for id in self.runs.keys() - live.keys():
            del self.runs[id]
        for id, job in live.items():
            if id in self.runs:
                self.runs[id].job = job
            else:
                self.runs[id] = self._follow(job)
        self._devices = list(queue.devices(self.studio))

    def _follow(self, job: Job) -> Run:
        folder = Path(job.run_dir or "")
        return Run(job, folder, Ingest(self.studio, job.id, folder, job.events_offset))

    def _look_at_gpus(self, age: float) -> None:
        """Note which GPUs others fill or do not answer, if the last look is ``age`` seconds old."""
        if not self._devices or time.monotonic() - self._looked < age:
            return
        self._looked = time.monotonic()
        home = self.studio.settings.home
        changed = devices.changes(self._devices, self._gpus, lambda pid: tree.belongs(pid, home))
        if changed:
            queue.set_foreign_memory(self.studio, changed)
            for slot in self._devices:
                slot.foreign_memory = changed.get(slot.id, slot.foreign_memory)
            log.info("Other programs hold of GPUs, in bytes: %s", changed)

    # --- starting --------------------------------------------------------------------

    def _start_waiting(self) -> None:
        startable = queue.startable(self.studio, self._devices)
        if any(slots[0].kind == "gpu" for _, slots in startable):
            # A second look only where a GPU is at stake; the processor has no memory that others fill.
            self._look_at_gpus(FRESH)  # One that a run has just left may be filled by others.
            startable = queue.startable(self.studio, self._devices)
        for job, slots in startable:
            claimed = queue.claim(self.studio, job.id, [slot.id for slot in slots])
            if claimed:
                # The slots are taken in our copy too, so that what starts next in this pass finds them so.
                for slot in slots:
                    slot.job_id = claimed.id
                self.runs[claimed.id] = self._follow(claimed)
                self._start(self.runs[claimed.id], slots)

    def _start(self, run: Run, slots: list[Device]) -> None:
        job, settings = run.job, self.studio.settings
        self._starts[job.id] = self._starts.get(job.id, 0) + 1
        others = sum(_trains(other.job) for other in self.runs.values() if other is not run)
        try:
            # Only now the run before this one has surely ended, and its model has a folder.
            job = run.job = chains.settle(self.studio, job)
            run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (run.folder / run_folder.SUPERVISOR).exists():  # Of a run that this database does not know.
                raise BadInput("engine.folder_taken", path=run.folder)
            # A training's row also holds the wish and its estimate; the worker
            # reads the resolved part only.
            atomic.write_json(run.folder / run_folder.SPEC, job.spec.get("run") or job.spec)
            self.launcher.start(
                Launch(
                    run.folder,
                    job.claim_token or "",
                    _seconds(job.spec.get("time_limit")),
                    settings.stop_grace,
                    devices.mask_for(slots, self._devices),
                    devices.threads(settings, others),
                    light=bool(job.spec.get("light")),
                )
            )
        except (ConnectionError, TimeoutError) as error:
            log.warning("Job %d: whether it was started cannot be known now: %s", job.id, error)
        except (OSError, BadInput) as error:
            self._end(run, Ending(State.FAILED, Cause.START_FAILED, str(error)))
        else:
            log.info("Job %d starts on %s", job.id, ", ".join(slot.id for slot in slots))

    def _masks_to_warm(self) -> list[str]:
        free = [device for device in self._devices if device.job_id is None and device.kind != "data"]
        cards = [card(slot) for slot in free if slot.kind == "gpu" and not slot.foreign_memory]
        # With GPUs about, a worker kept warm for the processor would hold
        # some 480 MB for runs that hardly come.
        if any(device.kind == "gpu" for device in self._devices):
            return cards
        return ["" for _ in free]

    # --- looking after one live run --------------------------------------------------

    def _attend(self, run: Run) -> None:
        # The stop first: one that was asked for while no engine lived must be
        # in the folder before the end is judged.
        self._pass_on_stop(run)
        liveness = self._liveness(run.folder)
        if liveness is Liveness.ENDED:
            # All lines before the end: once a job is terminal nobody reads them again.
            run.ingest.drain()
            self._finalise(run)
            return
        if liveness is Liveness.ALIVE and run.job.state == State.STARTING:
            queue.mark_running(self.studio, run.job)
        run.ingest.step()
        if kind_of(run.job.kind).tracked:
            with self._surviving(f"the trackers of job {run.job.id}"):
                self._followers.attend(run.job.id, run.folder)

    def _liveness(self, folder: Path) -> Liveness:
        """What the launcher says, unless the run's own folder knows better."""
        try:
            said = self.launcher.poll(folder)
        except (ConnectionError, TimeoutError):
            said = Liveness.UNKNOWN
        # The lock is the kernel's and the exit record is written last: both
        # know more than a launcher far away.
        if run_folder.is_held(folder / run_folder.LOCK):
            return Liveness.ALIVE
        return Liveness.ENDED if (folder / run_folder.EXIT).exists() else said

    def _pass_on_stop(self, run: Run) -> None:
        asked = run.job.stop_request
        # Once for each wish and not at each tick; a cancel after a save is another wish.
        if asked is None or asked == run.stop_sent:
            return
        run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file before the row: if the engine dies in between, the next one asks again.
        self.launcher.stop(run.folder, Stop(asked), self.studio.settings.stop_grace)
        queue.mark_stopping(self.studio, run.job)
        run.stop_sent = asked
        log.info("Job %d is asked to end: %s", run.job.id, asked)

    def _finalise(self, run: Run) -> None:
        record = atomic.read_json(run.folder / run_folder.EXIT)
        supervisor = atomic.read_json(run.folder / run_folder.SUPERVISOR)
        last_word = ending.last_word(run.folder)
        if record is not None:
            # An error is most often the last line of a log; 300 signs of it fit
            # into a sentence of the page.
            last_line = self.launcher.logs(run.folder, 2048).strip().rpartition("\n")[2]
            end = ending.of_exit(record, last_word, last_line[:300], kind_of(run.job.kind).service)
        elif supervisor is not None:
            end = ending.of_loss(last_word, rebooted=supervisor["boot_id"] != tree.boot_id())
        else:
            self._never_began(run)
            return
        # Born and ended between two ticks: its history shows all the same that it ran.
        if run.job.state == State.STARTING:
            queue.mark_running(self.studio, run.job)
        # Before the job counts as succeeded, since what waits for it looks for its model at once.
        if end.state is State.SUCCEEDED:
            end = self._register(run.job, last_word or {}, end)
        self._end(run, end)

    def _register(self, job: Job, result: dict[str, Any], end: Ending) -> Ending:
        try:
            kinds.call(kind_of(job.kind).register, self.studio, job, result)
        except (BadInput, KeyError, TypeError, ValueError) as error:  # A locked database is tried again.
            log.exception("Job %d: its result could not be registered", job.id)
            return Ending(State.FAILED, Cause.ERROR, f"its result cannot be registered: {error}")
        try:
            kinds.call(kind_of(job.kind).follow, self.studio, job)
        except Exception as error:  # Whatever it is: the run has what it was asked for.
            log.exception("Job %d: what follows it could not be queued", job.id)
            metrics.warn(self.studio, job.id, "runs.follow_failed", reason=str(error)[:300])
        return end

    def _never_began(self, run: Run) -> None:
        """Claimed, but no supervisor took it: the engine died in between, or the supervisor did."""
        if not self.launcher.withdraw(run.folder):
            return
        if run.job.stop_request:
            self._end(run, Ending(State.CANCELLED, Cause.CANCELLED))
        elif self._starts.get(run.job.id, 0) >= STARTS:
            detail = f"see {self.studio.settings.logs / 'supervisors.log'}"
            self._end(run, Ending(State.FAILED, Cause.START_FAILED, detail))
        else:
            queue.release(self.studio, run.job)
            log.info("Job %d had not begun and is queued again", run.job.id)

    def _end(self, run: Run, end: Ending) -> None:
        job = run.job
        try:
            kinds.call(kind_of(job.kind).ended, self.studio, job, end.state)
        except Exception as error:  # Whatever it is: the run itself has ended.
            log.exception("Job %d: its sweep could not go on", job.id)
            metrics.warn(self.studio, job.id, "runs.sweep_stuck", reason=str(error)[:300])
        if queue.finish(self.studio, job, end.state, end.cause, end.detail):
            log.info("Job %d ended: %s %s %s", job.id, end.state, end.cause or "", end.detail or "")
        else:
            log.warning("Job %d: its end (%s) came too late and was dropped", job.id, end.state)
        if kind_of(job.kind).tracked:
            with self._surviving(f"the trackers of job {job.id}"):
                self._followers.leave(job.id, run.folder)
        # Also where the claim was lost: what the job left behind belongs to nobody any more.
        kinds.call(kind_of(job.kind).discard, job)
        self._starts.pop(job.id, None)


def _trains(job: Job) -> bool:
    """Whether the job keeps the processor busy for long."""
    return not kind_of(job.kind).service and not job.spec.get("light")


def _seconds(hours: float | None) -> float | None:
    return None if hours is None else 3600 * hours


class _Surviving:
    """What fails in one run or one moment must not end the engine: it is logged once, and tried again."""

    def __init__(self, what: str, troubles: set[str]) -> None:
        self._what = what
        self._troubles = troubles

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None:
            self._troubles.discard(self._what)
            return False
        # KeyboardInterrupt and SystemExit are no trouble but an order to end.
        if not isinstance(error, Exception):
            return False
        if self._what not in self._troubles:
            self._troubles.add(self._what)
            log.error("Trouble with %s; it is tried again", self._what, exc_info=error)
        return True
