"""When somebody is told of a run: a row for each rule. Its title is ``notices.rule_<name>``, its help ``..._help``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio_core.base.states import State


@dataclass(frozen=True)
class Rule:
    name: str
    default: bool = True
    """Whether a new channel has it."""
    states: tuple[State, ...] = ()
    """Ends of a job that it is about."""
    warnings: tuple[str, ...] = ()
    """Notices of a run that it is about, without ``methods.notice.``"""


RULES = {
    rule.name: rule
    for rule in (
        Rule("ended", states=(State.SUCCEEDED, State.CANCELLED)),
        Rule("failed", states=(State.FAILED, State.INTERRUPTED)),
        Rule("person"),
        Rule("waits", default=False),
        Rule("not_finite", warnings=("not_finite",)),
        Rule("diverges", warnings=("loss_diverges", "both_less_likely")),
        Rule(
            "stopped_learning",
            warnings=(
                "loss_flat",
                "loss_noisy",
                "accuracy_at_chance",
                "groups_done",
                "groups_too_hard",
                "groups_alike",
                "unscored",
            ),
        ),
        Rule("overfits", warnings=("held_out_rises",)),
        Rule(
            "reward_hacking",
            warnings=("reward_hacking_kl", "reward_hacking_length", "entropy_collapse", "kl_over_target"),
        ),
        Rule("other_warning", default=False),
    )
}
"""``person``, ``waits`` and ``other_warning`` are found by ``causes``: no state and no notice says so by itself."""

DEFAULT = tuple(rule.name for rule in RULES.values() if rule.default)


def rule_of_state(state: str) -> str | None:
    """The rule about a job that has come to that state."""
    return next((rule.name for rule in RULES.values() if state in rule.states), None)


def rule_of_notice(body: dict[str, Any]) -> str | None:
    """The rule about a notice of a run; one of level info that no rule names is nobody's."""
    name = str(body.get("key", "")).removeprefix("methods.notice.")
    named = next((rule.name for rule in RULES.values() if name in rule.warnings), None)
    return named or ("other_warning" if body.get("level") == "warning" else None)
