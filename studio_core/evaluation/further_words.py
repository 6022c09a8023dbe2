"""What is published of a suite beside the mean of its values, in words."""

from __future__ import annotations

from collections.abc import Sequence

from studio_core import texts
from studio_core.base.tables import Evaluation
from studio_core.evaluation import browsing
from studio_core.evaluation.report import Unit
from studio_core.evaluation.sentences import figure

_UNITS: dict[str, Unit] = {"turns": "score"}
"""Of those that are no share: two decimals."""


def further_lines(rows: Sequence[Evaluation], language: str) -> list[str]:
    """``tiny-chat, HumanEval: pass@1 12%, pass@4 31%``: a line for each model and suite that has any."""
    return [
        texts.text(
            "evaluation.further",
            language,
            model=row.model,
            suite=browsing.title(row.suite, language),
            figures=", ".join(
                f"{_name(name, language)} {figure(value, _UNITS.get(name, 'share'))}"
                for name, value in told.items()
            ),
        )
        for row in rows
        if (told := row.figures.get("further"))
    ]


def _name(name: str, language: str) -> str:
    """pass@k and pass^k are called so in every language."""
    return name if name.startswith(("pass@", "pass^")) else texts.text(f"suites.figures.{name}", language)
