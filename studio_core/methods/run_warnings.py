"""What is odd about a run, seen from its metrics while it goes on: one small function for each warning.

Each is told once in a run, in words, with what to do (``methods.notice.<name>``). Figures are means over a ``WINDOW``
of reports, never a single one: a batch is noisy. Known of each metric are its first reports, its last ones and its
lowest mean, so that a run of a million steps costs no more to watch than a short one. Workers import this.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from studio_core.methods.base import Method

# The mean of ten reports is off by a third of what one is; the demo runs have thirty to a hundred.
WINDOW = 10


@dataclass(frozen=True)
class RunWarning:
    name: str
    values: dict[str, Any]
    level: Literal["info", "warning"] = "warning"

    @property
    def key(self) -> str:
        return f"methods.notice.{self.name}"


class Series:
    """One metric so far: its first reports, its last ones, and the lowest."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=WINDOW)
        self.lowest = math.inf
        """The lowest report; of a held-out loss, that of the best model."""
        self.since_lowest = 0
        """Reports since then."""

    def add(self, value: float) -> None:
        self.count += 1
        self.since_lowest += 1
        if value < self.lowest:
            self.lowest, self.since_lowest = value, 0
        if len(self._first) < WINDOW:
            self._first.append(value)
        self._last.append(value)

    @property
    def full(self) -> bool:
        return self.count >= WINDOW

    @property
    def apart(self) -> bool:
        """Whether the first window and the last have no report in common."""
        return self.count >= 2 * WINDOW

    @property
    def earliest(self) -> float:
        return self._first[0]

    @property
    def first(self) -> float:
        return sum(self._first) / len(self._first)

    @property
    def last(self) -> float:
        return sum(self._last) / len(self._last)

    @property
    def spread(self) -> float:
        """Standard deviation of the last reports."""
        mean = self.last
        return math.sqrt(sum((value - mean) ** 2 for value in self._last) / len(self._last))

    @property
    def newest(self) -> float:
        return self._last[-1]


@dataclass
class Watch:
    """A run that is watched: what it reported, and what has been told of it."""

    method: Method
    options: Mapping[str, Any]
    step: int = 0
    total_steps: int = 0
    series: dict[str, Series] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def look(self, step: int, total_steps: int, values: Mapping[str, float | None]) -> list[RunWarning]:
        """Take in one report; what is to be told now. What is no number is left out: that is told by itself."""
        self.step, self.total_steps = step, total_steps
        for name, value in values.items():
            if value is not None and math.isfinite(value):
                self.series.setdefault(name, Series()).add(value)
        new = [warning for check in CHECKS if (warning := check(self)) and warning.name not in self.told]
        self.told.update(warning.name for warning in new)
        return new

    def of(self, *names: str) -> Series | None:
        """The first of these metrics that has a full window."""
        return next((line for name in names if (line := self.series.get(name)) and line.full), None)

    @property
    def done(self) -> float:
        """The share of the steps that is done; 0 while their number is not known."""
        return self.step / self.total_steps if self.total_steps else 0.0


def _groups(run: Watch) -> tuple[str, int] | None:
    """What is to be said of groups whose answers are all worth the same, and how many of them are such.

    At nine in ten a step learns from a tenth of what it wrote.
    """
    alike, best, worst = (run.of(name) for name in ("groups/alike", "groups/all_best", "groups/all_worst"))
    if not (alike and best and worst) or alike.last < 0.9:
        return None
    most = alike.last / 2
    name = "groups_too_hard" if worst.last > most else "groups_done" if best.last > most else "groups_alike"
    return name, _percent(alike.last)


def groups_done(run: Watch) -> RunWarning | None:
    return _told_of_groups(run, "groups_done", level="info")


def groups_too_hard(run: Watch) -> RunWarning | None:
    return _told_of_groups(run, "groups_too_hard")


def groups_alike(run: Watch) -> RunWarning | None:
    # Neither right nor wrong: rewards that tell no answers apart.
    return _told_of_groups(run, "groups_alike")


def _told_of_groups(
    run: Watch, name: str, level: Literal["info", "warning"] = "warning"
) -> RunWarning | None:
    what = _groups(run)
    if what is None or what[0] != name:
        return None
    return RunWarning(name, {"share": what[1], "step": run.step}, level)


def _reward_rises(run: Watch) -> bool:
    reward = run.of("reward")
    return reward is not None and reward.apart and reward.last > reward.first


# Gao et al. 2023 (arXiv:2210.10760): what people think of the answers was best at 10 to 60 nats an answer, then fell
# while the reward model's score went on rising. The demo tasks are learnt within 1.
_KL_OF_HACKING = 30.0


def _sequence_kl(run: Watch) -> float | None:
    """Nats of a whole answer from the reference model."""
    if whole := run.of("sequence_kl"):
        return whole.last
    token, length = run.of("kl"), run.of("completions/mean_length")
    return token.last * length.last if token and length else None


def reward_hacking_kl(run: Watch) -> RunWarning | None:
    kl = _sequence_kl(run)
    if kl is None or kl < _KL_OF_HACKING or not _reward_rises(run):
        return None
    return RunWarning("reward_hacking_kl", {"kl": _short(kl), "step": run.step})


def reward_hacking_length(run: Watch) -> RunWarning | None:
    # Working a sum out makes the demo answers half as long again; twice is more than a habit of showing the steps.
    length = run.of("completions/mean_length")
    if (
        length is None
        or not length.apart
        or length.last < 2 * length.first
        or length.last < length.first + WINDOW
    ):
        return None
    if not _reward_rises(run):
        return None
    return RunWarning(
        "reward_hacking_length",
        {"first": _short(length.first), "last": _short(length.last), "step": run.step},
    )


def unscored(run: Watch) -> RunWarning | None:
    # Three steps are some two dozen answers: of which most have no value, though a few may fail on any reward.
    for name, line in run.series.items():
        reward = name.removeprefix("rewards/").removesuffix("/unscored")
        if name.endswith("/unscored") and "/" not in reward and line.count >= 3 and line.last > 0.5:
            return RunWarning("unscored", {"reward": reward, "share": _percent(line.last), "step": run.step})
    return None


def entropy_collapse(run: Watch) -> RunWarning | None:
    # A tenth of what it was: groups become copies of one answer. A model that began below 0.1 nats, as one fine-tuned
    # on one form of answers, had none to lose. Learning from given answers lowers it by right.
    entropy = run.of("entropy")
    if not run.method.rewards or entropy is None or not entropy.apart or entropy.first < 0.1:
        return None
    if entropy.last > entropy.first / 10:
        return None
    return RunWarning(
        "entropy_collapse", {"first": _short(entropy.first), "last": _short(entropy.last), "step": run.step}
    )


def kl_over_target(run: Watch) -> RunWarning | None:
    # Half as much again is where PPO's own early stop is usual: the controller has not caught it.
    kl, target = run.of("sequence_kl"), float(run.options.get("kl_target") or 0.0)
    if kl is None or not target or kl.last <= 1.5 * target:
        return None
    return RunWarning("kl_over_target", {"kl": _short(kl.last), "target": _short(target), "step": run.step})


def answers_cut(run: Watch) -> RunWarning | None:
    # Of one answer in five the end, where most rewards look, is missing.
    cut = run.of("completions/clipped_ratio")
    if cut is None or cut.last <= 0.2:
        return None
    limit = run.options.get("max_new_tokens", "?")
    return RunWarning("answers_cut", {"share": _percent(cut.last), "limit": limit, "step": run.step})


def both_less_likely(run: Watch) -> RunWarning | None:
    # That both fall a little is usual for DPO. By ten nats a short answer is 22,000 times less likely; of long ones,
    # whose log-probability is in the hundreds, a fifth.
    chosen, rejected = run.of("logps/chosen"), run.of("logps/rejected")
    if not (chosen and rejected and chosen.apart) or rejected.last >= rejected.first:
        return None
    fall = chosen.first - chosen.last
    if fall < max(10.0, abs(chosen.first) / 5):
        return None
    return RunWarning(
        "both_less_likely", {"first": _short(chosen.first), "last": _short(chosen.last), "step": run.step}
    )


def accuracy_at_chance(run: Watch) -> RunWarning | None:
    # Of ten reports of eight pairs the mean is off by 0.06: only one that stays there until the middle is stuck.
    accuracy = run.of("rewards/accuracies", "accuracy")
    if accuracy is None or not accuracy.apart or run.done < 0.5:
        return None
    if abs(accuracy.last - 0.5) > 0.06 or abs(accuracy.first - 0.5) > 0.1:
        return None
    return RunWarning("accuracy_at_chance", {"accuracy": f"{accuracy.last:.2f}", "step": run.step})


def held_out_rises(run: Watch) -> RunWarning | None:
    # One look may be chance; two in a row, the last a twentieth above the best, are not. What learns from rewards has
    # their negative there, for early stopping.
    held_out, loss = run.series.get("eval_loss"), run.of("loss")
    if run.method.rewards or held_out is None or held_out.since_lowest < 2 or loss is None:
        return None
    if held_out.newest < held_out.lowest + 0.05 * abs(held_out.lowest) or loss.last >= loss.first:
        return None
    values = {"lowest": _short(held_out.lowest), "newest": _short(held_out.newest), "step": run.step}
    return RunWarning("held_out_rises", values)


def _loss(run: Watch) -> Series | None:
    """The loss where it says something.

    That of a method that learns from rewards goes about 0 whatever happens, and where the model writes what it learns
    from, each report is about other texts.
    """
    loss, writes = run.of("loss"), run.method.rewards or "max_new_tokens" in run.options
    return loss if loss and loss.apart and not writes and loss.first > 0 else None


def loss_diverges(run: Watch) -> RunWarning | None:
    # A fifth above its beginning, or twice the very first report, since one that jumps at once has a high beginning; by
    # more than two standard errors of the mean.
    loss = _loss(run)
    if loss is None:
        return None
    start = min(loss.first, loss.earliest)
    far = loss.last > 1.2 * loss.first or loss.last > 2 * loss.earliest
    if not far or loss.last - start < 2 * loss.spread / math.sqrt(WINDOW):
        return None
    return RunWarning("loss_diverges", {"first": _short(start), "last": _short(loss.last), "step": run.step})


def loss_flat(run: Watch) -> RunWarning | None:
    # Within a fiftieth of where it began, half-way through: a loss that falls at all has fallen by more.
    loss = _loss(run)
    if loss is None or run.done < 0.5 or abs(loss.last - loss.first) > 0.02 * loss.first:
        return None
    return RunWarning("loss_flat", {"first": _short(loss.first), "last": _short(loss.last), "step": run.step})


def loss_noisy(run: Watch) -> RunWarning | None:
    # Each report differs from the next by half of the mean, and half-way through little has been learnt. A loss near 0
    # may: a twentieth of a nat is one odd row.
    loss = _loss(run)
    if loss is None or run.done < 0.5 or loss.spread < 0.5 * loss.last or loss.last < 0.1:
        return None
    if loss.last < 0.5 * loss.first or loss_diverges(run):
        return None
    return RunWarning(
        "loss_noisy", {"spread": _short(loss.spread), "loss": _short(loss.last), "step": run.step}
    )


CHECKS: tuple[Callable[[Watch], RunWarning | None], ...] = (
    groups_done,
    groups_too_hard,
    groups_alike,
    reward_hacking_kl,
    reward_hacking_length,
    unscored,
    entropy_collapse,
    kl_over_target,
    answers_cut,
    both_less_likely,
    accuracy_at_chance,
    held_out_rises,
    loss_diverges,
    loss_flat,
    loss_noisy,
)


def _percent(share: float) -> int:
    return round(100 * share)


def _short(value: float) -> float:
    """Three figures: a sentence needs no more."""
    return float(f"{value:.3g}")
