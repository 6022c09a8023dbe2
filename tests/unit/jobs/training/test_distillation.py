"""What a step of distillation tells."""

from __future__ import annotations

from jobs.training.distillation import means
from jobs.training.writing import Written


def test_means_are_over_the_tokens_of_their_own_kind() -> None:
    taught = [Written([1, 2, 3], [False, True, True]), Written([1, 2, 3], [False, False, True], ended=False)]
    replayed = [Written([4, 5, 6, 7, 8], [False, True, True, True, True], replayed=True)]
    sums = {"loss": 6.0, "agreement": 2.0, "entropy": 3.0, "replay_loss": 2.0}
    of_taught = {"loss": 2.0, "agreement": 2 / 3, "entropy": 1.0, "written_tokens": 1.5, "ended": 0.5}
    assert means(taught, sums) == of_taught
    assert means(replayed, sums) == {"replay_loss": 0.5}
    assert means(taught + replayed, sums) == {**of_taught, "replay_loss": 0.5}
