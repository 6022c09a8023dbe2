"""What a program may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds, bytes and counts. Processor time, not time by the clock, so that a busy machine fails no program."""

    # An exercise's tests take milliseconds; what is still busy after five seconds goes round for ever.
    seconds: int = 5
    """Of processor time, for each process."""
    wall: float = 25.0
    """By the clock, for all together: a program that sleeps uses no processor."""
    # Ten times what the interpreter maps; some machines have no more to spare for eight of them.
    memory: int = 512 << 20
    """Of address space, for each process."""
    # Threads count. A few are an exercise, hundreds are a fork bomb.
    processes: int = 8
    file: int = 16 << 20
    """For each file."""
    disk: int = 64 << 20
    """For all files together; they are held in memory and gone with the program."""
    # A mebibyte is some thousand lines; nobody reads more.
    output: int = 1 << 20
    """For standard output and standard error together."""

    @classmethod
    def of_seconds(cls, seconds: int) -> Limits:
        """With so much processor time, and as much by the clock as that may take."""
        # Four times as long, since so many others may share the cores; five more for the start on a busy machine.
        return cls(seconds=seconds, wall=5.0 + 4 * seconds)
