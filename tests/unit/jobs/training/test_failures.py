from __future__ import annotations

import errno

import pytest
import torch

from jobs.training.failures import named
from studio_core.base.errors import BadInput


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory_gpu"),
        (MemoryError(), "out_of_memory_host"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "out_of_memory_host"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EFBIG, "File too large"), "disk_full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"), "disk_full"),
        (FileNotFoundError(errno.ENOENT, "no such file"), "error"),
        (ValueError("two\nlines"), "error"),
    ],
)  # fmt: skip
def test_causes_are_named(error: BaseException, cause: str) -> None:
    told = named(error)
    assert told["cause"] == cause
    assert told["message"] and "\n" not in told["message"]


def test_the_first_cause_in_the_chain_counts() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            raise RuntimeError("could not save") from error
    except RuntimeError as error:
        assert named(error)["cause"] == "disk_full"


def test_our_own_errors_keep_their_sentence() -> None:
    told = named(BadInput("tunings.no_four_bit"))
    assert told["cause"] == "error"
    assert told["message"].startswith("QLoRA needs bitsandbytes")
    assert told["key"] == "tunings.no_four_bit"
