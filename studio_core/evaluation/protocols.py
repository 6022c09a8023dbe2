"""Which protocol of judging a choice of an evaluation means.

Workers import this: no database here.
"""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.runs.spec import SuiteChoice
from studio_core.suites import SUITES
from studio_core.suites.judged import PROTOCOLS
from studio_core.suites.judged.protocol import Protocol


def protocol_of(choice: SuiteChoice) -> Protocol | None:
    """With its options; None where no judge is needed.

    Raises ``BadInput`` of a protocol that there is not, of one for questions that a rule scores or beside a reward, and
    of options without a protocol.
    """
    own = SUITES[choice.name].protocol if choice.name in SUITES else None
    name = choice.protocol or (own.name if own else "")
    if name and not (own or choice.dataset):
        raise BadInput("evaluation.not_judged", suite=choice.name, protocol=name[:40])
    if not name and choice.options:
        raise BadInput("evaluation.options_of_nothing", suite=choice.title, options=", ".join(choice.options))
    if not name:
        return None
    if name not in PROTOCOLS:
        raise BadInput("evaluation.no_protocol", protocol=name[:40], known=", ".join(PROTOCOLS))
    if choice.reward:
        raise BadInput("evaluation.reward_or_protocol", reward=choice.reward.name, protocol=name)
    return PROTOCOLS[name](**choice.options)
