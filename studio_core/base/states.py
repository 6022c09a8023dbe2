"""States of a job, and the only transitions between them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.INTERRUPTED})
LIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELLED}),
    # Back to the queue when the engine died between claiming and starting.
    # A stop may come before the worker has begun, and a worker may end before it was ever seen alive.
    State.STARTING: frozenset({State.QUEUED, State.RUNNING, State.STOPPING}) | TERMINAL,
    State.RUNNING: frozenset({State.STOPPING}) | TERMINAL,
    State.STOPPING: TERMINAL,
    **{state: frozenset() for state in TERMINAL},
}


class Stop(StrEnum):
    """What a user can ask of a live run."""

    SAVE = "save"
    """Write a complete checkpoint and a model, then end."""
    CANCEL = "cancel"
    """End at once; nothing more is saved."""


class Cause(StrEnum):
    """Why a job ended, when it did not simply finish."""

    STOPPED = "stopped"
    ELSEWHERE = "elsewhere"
    """Another trainer did it; what came of it was taken back."""
    CANCELLED = "cancelled"
    ERROR = "error"
    KILLED = "killed"
    OUT_OF_MEMORY_GPU = "out_of_memory_gpu"
    OUT_OF_MEMORY_HOST = "out_of_memory_host"
    DISK_FULL = "disk_full"
    SUPERVISOR_LOST = "supervisor_lost"
    HOST_REBOOTED = "host_rebooted"
    TIMED_OUT = "timed_out"
    START_FAILED = "start_failed"
    IDLE = "idle"
