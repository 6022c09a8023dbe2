"""A report is made in one pass over the records; a second one reads only those that may repeat others.

Time grows with the number of records; memory by about 100 bytes for each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from studio_core.data.shapes import Shape
from studio_core.reports import features
from studio_core.reports.answers import AnswerCheck
from studio_core.reports.batch import batches
from studio_core.reports.check import FIRST, Asked, Check, Rows
from studio_core.reports.control_tokens import ControlTokenCheck
from studio_core.reports.document import Finding, Report, Verdicts
from studio_core.reports.duplicates import DuplicateCheck
from studio_core.reports.findings import FINDINGS, Severity, severity
from studio_core.reports.labels import LabelCheck
from studio_core.reports.languages import LanguageCheck
from studio_core.reports.overlap import OverlapCheck
from studio_core.reports.pairs import PairCheck
from studio_core.reports.personal import PersonalCheck
from studio_core.reports.quality import QualityCheck
from studio_core.reports.references import ReferenceCheck
from studio_core.reports.sizes import SizeCheck
from studio_core.reports.token_lengths import TokenCheck
from studio_core.reports.turn_structure import TurnCheck
from studio_core.runs.spec import ResolvedModel

# In the order of the page. Some read what earlier ones left in ``rows``.
CHECKS: tuple[type[Check[Any]], ...] = (
    SizeCheck,
    TurnCheck,
    AnswerCheck,
    LanguageCheck,
    QualityCheck,
    DuplicateCheck,
    OverlapCheck,
    PersonalCheck,
    ControlTokenCheck,
    PairCheck,
    LabelCheck,
    ReferenceCheck,
    TokenCheck,
)


def compute(
    file: Path,
    shape: Shape,
    features_file: Path,
    *,
    model: ResolvedModel | None = None,
    limit: int | None = None,
    suites: Mapping[str, Path] | None = None,
    others: Mapping[str, Path] | None = None,
    held_out: float = 0.1,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Judge the records of a dataset's Parquet ``file``, and write ``features_file``.

    ``model`` is the one whose tokens are counted, ``limit`` the length at which a training would cut.
    ``suites`` are evaluation files by name, ``others`` dataset files whose prompts should not be here.
    ``progress`` is called with the number of records done, up to all of them; it may raise to end the work,
    and nothing is left behind then.
    """
    began = time.monotonic()
    asked = Asked(
        file=file,
        shape=shape,
        rows=pq.read_metadata(file).num_rows,
        scratch=features_file.parent,
        tokenizer=model,
        limit=limit or None,
        suites=suites or {},
        others=others or {},
        held_out=held_out,
        progress=progress,
    )
    rows = Rows()
    with ExitStack() as closing:
        checks = [check(asked) for check in CHECKS if shape in check.shapes]
        for check in checks:
            # Before the first record is seen: what a check keeps on disk goes
            # also when somebody stops the work.
            closing.callback(check.close)
        for batch in batches(file, shape):
            for check in checks:
                check.see(batch)
            rows.add(batch)
            progress(rows.count)
        # All results before the features file, since a result may still add or take back findings.
        parts = {check.name: check.result(rows) for check in checks}
    codes = next(check.codes for check in checks if isinstance(check, LanguageCheck))
    features.write(features_file, rows, codes)
    return Report(
        shape=shape.value,
        rows=rows.count,
        model=model.name if model else "",
        limit=limit or None,
        verdicts=_verdicts(rows),
        findings=_findings(rows, checks),
        seconds=round(time.monotonic() - began, 2),
        **parts,
    )


def _verdicts(rows: Rows) -> Verdicts:
    counts = dict.fromkeys((Severity.BAD, Severity.LOOK), 0)
    # By combinations of findings, of which there are few, and not by records.
    masks, how_many = np.unique(rows["found"], return_counts=True)
    for mask, count in zip(masks.tolist(), how_many.tolist(), strict=True):
        if (worst := severity(mask)) in counts:
            counts[worst] += count
    bad, look = counts[Severity.BAD], counts[Severity.LOOK]
    return Verdicts(good=rows.count - bad - look, look=look, bad=bad)


def _findings(rows: Rows, checks: Iterable[Check[Any]]) -> list[Finding]:
    looked_for = {name for check in checks for name in check.finds}
    found = []
    for name, at in FINDINGS.items():
        if name in looked_for:
            numbers = rows.with_finding(name)
            part = len(numbers) / rows.count if rows.count else 0.0
            first = [int(number) for number in numbers[:FIRST]]
            found.append(Finding(name=name, severity=at, rows=len(numbers), share=part, first=first))
    return found
