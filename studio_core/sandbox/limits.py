"""What the helper may take. A limit of time is one of processor time, so that a busy machine stops nobody's work."""

from __future__ import annotations

ADDRESS_SPACE = 2 << 30
"""Bytes. The interpreter with its libraries takes 50 MB, the largest tokenizers known (262,000 tokens) 500 MB."""
FULL = 1 << 30
"""Bytes beyond which a helper ends after its answer: tokenizers that it keeps must not use up the next one's room."""
THREADS = 4
"""Of the library of tokenizers; each reserves address space."""
IDLE = 600.0
"""Seconds without a call after which a helper ends."""
HELPERS = 2
"""At most: one that is held up by a template until its time is over leaves another for everybody else."""
SECONDS = 5
"""Of processor time that every call may take."""
PATIENCE = 30.0
"""Seconds that a call waits for a free helper."""


def processor_seconds(request: int) -> int:
    """What a call of so many bytes may take, on all threads together.

    A preview takes milliseconds, reading a large tokenizer 2 s; texts are tokenised at 1 MB/s and more on
    one core, and rendered several times where a template does not mark the answers.
    """
    return SECONDS + 8 * (request >> 20)


def wall_seconds(request: int) -> float:
    """When a call is given up that has not used its processor time: the machine is overloaded, or it sleeps."""
    return 30.0 + 6 * processor_seconds(request)
