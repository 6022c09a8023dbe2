"""Operations that make new versions of datasets. This list is the only one that names them."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.curation.base import Operation
from studio_core.curation.best_of import BEST_OF
from studio_core.curation.control_tokens import CONTROL_TOKENS
from studio_core.curation.convert import CONVERT
from studio_core.curation.correct import CORRECT
from studio_core.curation.deduplicate import DEDUPLICATE
from studio_core.curation.distill import DISTILL
from studio_core.curation.edit import EDIT
from studio_core.curation.filter import FILTER
from studio_core.curation.judge import JUDGE
from studio_core.curation.map import MAP
from studio_core.curation.mask import MASK
from studio_core.curation.mix import MIX
from studio_core.curation.perplexity import PERPLEXITY
from studio_core.curation.replace import REPLACE
from studio_core.curation.sample import SAMPLE
from studio_core.curation.score import SCORE_ANSWERS
from studio_core.curation.select import SELECT
from studio_core.curation.split import SPLIT

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        FILTER,
        DEDUPLICATE,
        MASK,
        CONTROL_TOKENS,
        REPLACE,
        EDIT,
        SELECT,
        SAMPLE,
        SPLIT,
        MIX,
        CONVERT,
        MAP,
        DISTILL,
        BEST_OF,
        CORRECT,
        JUDGE,
        SCORE_ANSWERS,
        PERPLEXITY,
    )
}


def named(name: str) -> Operation:
    """The operation of that name; raises ``BadInput`` that lists the known ones."""
    if name not in OPERATIONS:
        raise BadInput("curation.unknown_operation", name=name[:40], known=", ".join(OPERATIONS))
    return OPERATIONS[name]
