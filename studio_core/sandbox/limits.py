"""What the helper may take. A limit of time is one of processor time, so that a busy machine stops nobody's work."""

from __future__ import annotations

ADDRESS_SPACE = 2 << 30
"""Bytes. The interpreter with its libraries takes 50 MB, the largest tokenizers known (262,000 tokens) 500 MB."""
FULL = 1 << 30
"""Bytes beyond which a helper ends after its answer: tokenizers that it keeps must not use up the next one's room."""
# More gain little for one record, and address space is what the limit counts.
THREADS = 4
"""Of the library of tokenizers; each reserves address space."""
# Ten minutes: its tokenizers are not held in memory for a page that somebody left open.
IDLE = 600.0
"""Seconds without a call after which a helper ends."""
HELPERS = 2
"""At most: one that is held up by a template until its time is over leaves another for everybody else."""
# More than twice what the largest tokenizer takes to be read.
SECONDS = 5
"""Of processor time that every call may take."""
# A call that hangs is ended after 5 s of the processor: who still finds none free is told that the machine
# is busy.
PATIENCE = 30.0
"""Seconds that a call waits for a free helper."""


def processor_seconds(request: int) -> int:
    """What a call of so many bytes may take, on all threads together.

    A preview takes milliseconds, reading a large tokenizer 2 s; texts are tokenised at 1 MB/s and more on
    one core, and rendered several times where a template does not mark the answers.
    """
    # 8 seconds for a megabyte: tokenized once and rendered several times, with room for a slow machine.
    return SECONDS + 8 * (request >> 20)


def wall_seconds(request: int) -> float:
    """When a call is given up that has not used its processor time: the machine is overloaded, or it sleeps."""
    # Six times as long by the clock: so many others may share the cores.
    return 30.0 + 6 * processor_seconds(request)
