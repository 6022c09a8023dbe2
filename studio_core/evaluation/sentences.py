"""A report in words: what a model's page says of it in one sentence, and the figures as they are read."""

from __future__ import annotations

from studio_core.evaluation.report import Cell, Change, Report, Unit
from studio_core.texts import text


def verdict(report: Report, model: str, language: str) -> str:
    """All changes of ``model`` in one sentence; of the baseline, or without a shared suite, what it reached."""
    changes = report.changes_of(model)
    if changes:
        parts = [change_words(report, change, language) for change in changes]
    else:
        cells = [cell for cell in report.cells if cell.model == model]
        parts = [_reached(report, cell, language) for cell in cells]
    if not parts:
        return text("evaluation.verdict_none", language, model=model)
    return text("evaluation.separator", language).join(parts)


def change_words(report: Report, change: Change, language: str) -> str:
    """``GSM8K 41 to 48 of 100 (better, p = 0.03)``."""
    suite = report.suite(change.suite)
    if change.direction == "apart":
        return _apart(report, change, language)
    if change.direction == "unknown" and change.more_needed is not None:
        key, more = "evaluation.verdict_more", rough(change.more_needed)
    else:
        key, more = f"evaluation.verdict_{change.direction}", ""
    return text(
        key,
        language,
        suite=suite.title,
        change=from_to(change, suite.unit, language),
        p=p_value(change.p_adjusted),
        more=more,
    )


def _apart(report: Report, change: Change, language: str) -> str:
    """How far, and how long the answers have become: ``Drift 0.123 (95% interval 0.101 to 0.146) nats per token``."""
    before, after = (report.cell(model, change.suite) for model in (change.baseline, change.model))
    if before is None or after is None:
        return text("evaluation.reached_nothing", language, suite=report.suite(change.suite).title)
    told = text("evaluation.verdict_apart", language, told=_reached(report, after, language))
    if before.tokens is None or after.tokens is None:
        return told
    lengths = {"before": f"{before.tokens:,.0f}", "after": f"{after.tokens:,.0f}"}
    return told + text("evaluation.verdict_lengths", language, **lengths)


def from_to(change: Change, unit: Unit, language: str) -> str:
    """``41 to 48 of 100`` where items are right or wrong, ``41.3% to 48%``, or ``0.912 to 0.874``."""
    if change.before is None or change.after is None:
        return text("evaluation.no_shared_items", language)
    counts = [value * change.n for value in (change.before, change.after)]
    # Sums of thousands of floats are off by far less; a value of a half is not. What a protocol makes of a suite is no
    # count of items.
    counted = unit == "share" and change.test != "protocol"
    if counted and all(abs(count - round(count)) < 1e-6 for count in counts):
        before, after = (f"{round(count):,}" for count in counts)
        return text("evaluation.from_to_of", language, before=before, after=after, n=f"{change.n:,}")
    before, after = (figure(value, unit) for value in (change.before, change.after))
    return text("evaluation.from_to", language, before=before, after=after)


def _reached(report: Report, cell: Cell, language: str) -> str:
    suite = report.suite(cell.suite)
    if cell.mean is None:
        return text("evaluation.reached_nothing", language, suite=suite.title)
    value = figure(cell.mean, suite.unit)
    if cell.low is None or cell.high is None:
        return text("evaluation.reached_once", language, suite=suite.title, value=value)
    low, high = figure(cell.low, suite.unit), figure(cell.high, suite.unit)
    return text(
        "evaluation.reached",
        language,
        suite=suite.title,
        value=value,
        low=low,
        high=high,
        level=f"{cell.level:.0%}",
    )


def figure(value: float | None, unit: Unit) -> str:
    """``41.3%`` of a share, three decimals of bits a byte and nats a token, two of a score; a dash for none."""
    if value is None:
        return "–"
    if unit == "share":
        # One decimal: of a thousand items one is seen.
        return f"{100 * value:.1f}".removesuffix(".0") + "%"
    return f"{value:.3f}" if unit in ("bits", "nats") else f"{value:.2f}"


def difference(value: float | None, unit: Unit) -> str:
    """With its sign; of shares in points of a hundred."""
    if value is None:
        return "–"
    shown = f"{100 * value:+.1f}" if unit == "share" else f"{value:+.{3 if unit in ('bits', 'nats') else 2}f}"
    # A minus sign as wide as the plus, so that columns stand in line; nothing has no sign.
    return shown.replace("-", "−") if shown.strip("+-0.") else shown.lstrip("+-")


def p_value(p: float) -> str:
    """``= 0.03``, ``= 0.049``, ``< 0.001``: two figures, so that nothing below 0.05 reads as 0.05."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def rough(items: int) -> str:
    """To one figure, upwards: how many are needed is an estimate from an estimate."""
    step = 10 ** (len(str(items)) - 1)
    return f"{-(-items // step) * step:,}"
