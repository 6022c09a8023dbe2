"""What a report says, in words: what is good, what to look at, what to do."""

from __future__ import annotations

from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts.html import NOTHING, html, join, notice, number, percent, stat, table
from studio_core.base.tables import Dataset
from studio_core.data.shapes import Record, Shape
from studio_core.reports.batch import Batch
from studio_core.reports.document import Finding, Report
from studio_core.reports.features import About
from studio_core.reports.findings import Severity

# Two lines of a card: enough to know a record again.
EXCERPT = 200

_FILTERED = (
    "turn_order", "empty_answer", "identical_pair", "contradiction", "unreadable_reference", "exact_duplicate",
    "near_duplicate", "in_suite", "refusal", "one_word_answer", "low_quality", "in_other_version",
)  # fmt: skip
_BADGES = {Severity.BAD: "failed", Severity.LOOK: "interrupted", Severity.NOTE: "queued"}


def summary(report: Report, dataset: Dataset, language: str) -> Markup:
    """The verdicts, what to do about each finding, and what is fine."""
    phrase = phrases("reports.", language)
    verdicts = report.verdicts
    figures = join(
        stat(
            phrase(f"verdict_{name}"),
            number(rows),
            percent(rows / report.rows) if of_all and report.rows else "",
        )
        for name, rows, of_all in (
            ("good", verdicts.good, True),
            ("look", verdicts.look, True),
            ("bad", verdicts.bad, True),
            ("rejected", verdicts.rejected, False),
        )
    )
    to_do = [finding for finding in report.findings if finding.rows]
    fine = [phrase(f"finding_{finding.name}") for finding in report.findings if not finding.rows]
    parts = [
        html(
            '<section class="ts-card"><h2>{}</h2><p>{}</p><div class="ts-figures">{}</div></section>',
            phrase("title"),
            _headline(report, phrase),
            figures,
        )
    ]
    if to_do:
        items = join(_finding(finding, dataset, language) for finding in to_do)
        parts.append(
            html(
                '<section class="ts-card"><h2>{}</h2><ul class="ts-findings">{}</ul></section>',
                phrase("to_do"),
                items,
            )
        )
    if fine:
        listed = say("shell.comma", language).join(fine)
        parts.append(notice("good", phrase("fine", findings=listed)))
    return html('<div class="ts-stack">{}</div>', join(parts))


def _headline(report: Report, phrase: Phrase) -> str:
    verdicts, rows = report.verdicts, report.rows
    if verdicts.good == rows:
        return str(phrase("all_good", rows=number(rows)))
    key = "mostly_good" if verdicts.bad == 0 else "some_bad"
    return str(
        phrase(
            key,
            good=number(verdicts.good),
            rows=number(rows),
            look=number(verdicts.look),
            bad=number(verdicts.bad),
        )
    )


def _finding(finding: Finding, dataset: Dataset, language: str) -> Markup:
    phrase = phrases("reports.", language)
    look = html(
        '<a class="ts-button" href="{}#report-rows-head">{}</a>',
        address(dataset, "report", finding=finding.name),
        phrase("show_rows"),
    )
    return html(
        '<li id="finding-{}"><div><span class="ts-badge ts-badge-{}">{}</span> <strong>{}</strong> '
        '<span class="ts-muted">{}</span></div><p>{}</p><div class="ts-actions">{}{}</div></li>',
        finding.name,
        _BADGES[finding.severity],
        phrase(f"severity_{finding.severity}"),
        phrase(f"finding_{finding.name}"),
        phrase(
            "rows_share",
            rows=number(finding.rows),
            share=percent(finding.share),
        ),
        phrase(f"finding_{finding.name}.help"),
        look,
        _repair(finding, dataset, language),
    )


def _repair(finding: Finding, dataset: Dataset, language: str) -> Markup:
    """The way to the operation that mends it, filled in."""
    if finding.name == "personal_data":
        key, wanted = "mask_these", {"operation": "mask"}
    elif finding.name in ("control_tokens", "rendered_template"):
        key, wanted = "clean_these", {"operation": "control_tokens"}
    elif finding.name == "repeated_prompt":
        key, wanted = "split_these", {"operation": "split"}
    elif finding.name in _FILTERED:
        key, wanted = "filter_these", {"operation": "filter", "findings": finding.name}
    else:
        return Markup()
    return html(
        '<a class="ts-button" href="{}">{}</a>',
        address(dataset, "improve", **wanted),
        say(f"reports.{key}", language),
    )


def address(dataset: Dataset, tab: str, **more: str) -> str:
    return "/dataset?" + urlencode({"id": dataset.id, "tab": tab, **more})


def found_rows(
    records: list[tuple[int, Record]], dataset: Dataset, about: dict[int, About], language: str
) -> Markup:
    """Rows with what was found: number, reasons, what is asked, what is answered."""
    phrase = phrases("reports.", language)
    batch = Batch(Shape(dataset.shape), 1, [record for _, record in records])
    rows = []
    for (row, _), part in zip(records, batch.parts, strict=True):
        name = say("browse.record_n", language, n=number(row))
        place = address(dataset, "records", row=str(row))
        which = html('<a href="{}" aria-label="{}">{}</a>', place, name, number(row))
        reasons = _reasons(about[row], dataset, phrase) if row in about else Markup()
        rows.append([which, reasons, *map(_excerpt, (part.prompt, part.answer, part.other))])
    columns = 5 if Shape(dataset.shape) is Shape.PREFERENCE else 4
    headers = [phrase(name) for name in ("row", "reasons", "prompt", "answer", "rejected")]
    return table(headers[:columns], [row[:columns] for row in rows])


def _reasons(about: About, dataset: Dataset, phrase: Phrase) -> Markup:
    reasons = [html("<li>{}</li>", phrase(f"finding_{name}")) for name in about.findings]
    if about.repeats:
        earlier = address(dataset, "records", row=str(about.repeats))
        again = phrase("repeats_row", row=number(about.repeats))
        reasons.append(html('<li><a href="{}">{}</a></li>', earlier, again))
    return html('<ul class="ts-reasons-of-row">{}</ul>', join(reasons))


def _excerpt(text: str) -> str:
    text = " ".join(text[: EXCERPT * 2].split())
    return f"{text[:EXCERPT]}…" if len(text) > EXCERPT else text or NOTHING
