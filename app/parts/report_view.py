"""What a report says, in words: what is good, what to look at, what to do."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, html, join, notice, number, stat, table
from app.parts.report_charts import word_shown
from studio_core import texts
from studio_core.base.tables import Dataset
from studio_core.data.shapes import Record, Shape
from studio_core.reports.batch import Batch
from studio_core.reports.document import Finding, RejectedReason, Report
from studio_core.reports.features import About
from studio_core.reports.findings import Severity
from studio_core.reports.statistics import Share

# Two lines of a card: enough to know a record again.
EXCERPT = 200
STRONG_BIAS = 0.6
"""Beyond this share of pairs, even at the near end of its interval, length alone tells the sides apart."""
# Well beyond chance (one half), and below it a person would not act on it; a judgement.
STRONG_SHORTCUT = 0.7

_FILTERED = (
    "turn_order", "empty_answer", "identical_pair", "contradiction", "unreadable_reference", "exact_duplicate",
    "near_duplicate", "in_suite", "refusal", "one_word_answer", "low_quality", "in_other_version",
)  # fmt: skip
_BADGES = {Severity.BAD: "failed", Severity.LOOK: "interrupted", Severity.NOTE: "queued"}


def summary(report: Report, dataset: Dataset, language: str) -> Markup:
    """The verdicts, what to do about each finding, and what is fine."""

    def said(key: str, **values: Any) -> str:
        return say(f"reports.{key}", language, **values)

    verdicts = report.verdicts
    figures = join(
        stat(said(f"verdict_{name}"), number(rows), _percent(rows, report.rows) if of_all else "")
        for name, rows, of_all in (
            ("good", verdicts.good, True),
            ("look", verdicts.look, True),
            ("bad", verdicts.bad, True),
            ("rejected", verdicts.rejected, False),
        )
    )
    to_do = [finding for finding in report.findings if finding.rows]
    fine = [said(f"finding_{finding.name}") for finding in report.findings if not finding.rows]
    parts = [
        html(
            '<section class="ts-card"><h2>{}</h2><p>{}</p><div class="ts-figures">{}</div></section>',
            said("title"),
            _headline(report, said),
            figures,
        )
    ]
    if to_do:
        items = join(_finding(finding, dataset, language) for finding in to_do)
        parts.append(
            html(
                '<section class="ts-card"><h2>{}</h2><ul class="ts-findings">{}</ul></section>',
                said("to_do"),
                items,
            )
        )
    if fine:
        listed = say("shell.comma", language).join(fine)
        parts.append(notice("good", said("fine", findings=listed)))
    return html('<div class="ts-stack">{}</div>', join(parts))


def _headline(report: Report, said: Any) -> str:
    verdicts, rows = report.verdicts, report.rows
    if verdicts.good == rows:
        return str(said("all_good", rows=number(rows)))
    key = "mostly_good" if verdicts.bad == 0 else "some_bad"
    return str(
        said(
            key,
            good=number(verdicts.good),
            rows=number(rows),
            look=number(verdicts.look),
            bad=number(verdicts.bad),
        )
    )


def _finding(finding: Finding, dataset: Dataset, language: str) -> Markup:
    def said(key: str, **values: Any) -> str:
        return say(f"reports.{key}", language, **values)

    look = html(
        '<a class="ts-button" href="{}#report-rows-head">{}</a>',
        address(dataset, "report", finding=finding.name),
        said("show_rows"),
    )
    return html(
        '<li id="finding-{}"><div><span class="ts-badge ts-badge-{}">{}</span> <strong>{}</strong> '
        '<span class="ts-muted">{}</span></div><p>{}</p><div class="ts-actions">{}{}</div></li>',
        finding.name,
        _BADGES[finding.severity],
        said(f"severity_{finding.severity}"),
        said(f"finding_{finding.name}"),
        said(
            "rows_share",
            rows=number(finding.rows),
            share=_percent(finding.rows, finding.rows / finding.share),
        ),
        said(f"finding_{finding.name}.help"),
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


def details(report: Report, language: str, suites_folder: str) -> Markup:
    """What the checks found beside single records."""

    def said(key: str, **values: Any) -> str:
        return say(f"reports.{key}", language, **values)

    cards = [
        _card(said("about_tokens"), _token_facts(report, said)),
        _card(said("about_pairs"), _pair_facts(report, said), wide=True),
        _card(said("about_labels"), _label_facts(report, said)),
        _card(said("about_references"), _reference_facts(report, said)),
        _card(said("about_repeats"), _repeat_facts(report, said)),
        _card(said("about_overlap"), _overlap_facts(report, said, suites_folder)),
        _card(said("about_personal"), _personal_facts(report, said)),
        _card(said("about_control_tokens"), _control_facts(report, said)),
        _card(said("about_rejected"), _rejected_facts(report, said, language)),
    ]
    return html('<div class="ts-report-facts">{}</div>', join(card for card in cards if card))


def _card(title: str, facts: list[Markup | str], *, wide: bool = False) -> Markup:
    if not facts:
        return Markup()
    body = join(fact if isinstance(fact, Markup) else html("<p>{}</p>", fact) for fact in facts)
    kind = " ts-wide" if wide else ""
    return html('<section class="ts-card{}"><h3>{}</h3>{}</section>', kind, title, body)


def _token_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.tokens
    if found is None:
        button = '<button type="button" class="ts-button" data-make="1">{}</button>'
        return [said("no_tokenizer"), html("<p>{}</p>", html(button, said("with_tokenizer")))]
    facts: list[Markup | str] = []
    if found.refused:
        facts.append(notice("warn", said("template_refuses", n=number(found.refused), model=report.model)))
    if found.tokens is None:
        return facts
    total = said("about_n", n=number(found.total)) if found.sampled else number(found.total)
    facts.append(
        said(
            "tokens_spread", model=report.model, median=number(found.tokens.quantiles["0.5"], 0), total=total
        )
    )
    if found.sampled:
        facts.append(said("sampled", n=number(found.counted), rows=number(report.rows)))
    if found.cut is not None:
        key = "cut_none" if not found.cut.rows else "cut_sampled" if found.sampled else "cut_exactly"
        facts.append(
            said(
                key,
                limit=number(found.limit),
                rows=number(found.cut.rows),
                share=_share(found.cut),
                low=_points(found.cut.low),
                high=_points(found.cut.high),
            )
        )
    rows = [(number(limit), _points(part)) for limit, part in found.over.items() if part or limit <= 1024]
    return [*facts, table([said("limit"), said("longer_share")], rows)]


def _pair_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.pairs
    if found is None:
        return []
    longer = found.longer_chosen
    interval = {"low": _points(longer.low), "high": _points(longer.high)}
    facts: list[Markup | str] = [
        said(
            "longer_chosen",
            rows=number(longer.rows),
            of=number(longer.of),
            share=_share(longer),
            equal=number(found.equal_length),
            **interval,
        )
    ]
    if longer.low > STRONG_BIAS or longer.high < 1 - STRONG_BIAS:
        side = "longer_bias" if longer.low > 0.5 else "shorter_bias"
        facts.append(notice("warn", said(side)))
    kind = "warn" if found.shortcut >= STRONG_SHORTCUT else "info"
    facts.append(notice(kind, said(f"shortcut_{kind}", share=_points(found.shortcut))))  # type: ignore[arg-type]
    if found.markers:
        headers = [said(f"marker_{name}") for name in ("word", "chosen", "rejected", "right", "accuracy")]
        rows = [
            (
                html("<code>{}</code>", word_shown(marker.word)),
                number(marker.chosen),
                number(marker.rejected),
                said(
                    "share_interval",
                    share=_share(marker.right),
                    low=_points(marker.right.low),
                    high=_points(marker.right.high),
                ),
                _points(marker.accuracy),
            )
            for marker in found.markers
        ]
        facts.append(table(headers, rows, said("markers_title")))
    return facts


def _label_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.labels
    if found is None:
        return []
    return [
        said("labels", share=_share(found.good), rows=number(found.good.rows)),
        said("label_words", good=number(found.words_good, 0), bad=number(found.words_bad, 0)),
    ]


def _reference_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.references
    if found is None:
        return []
    facts: list[Markup | str] = [
        said(
            "references_in_solutions" if found.column == "completion" else "references",
            column=found.column,
            numbers=number(found.numbers),
            texts=number(found.texts),
            missing=number(found.missing),
        )
    ]
    if found.unreadable:
        rows = [(number(one.row), one.text or NOTHING) for one in found.unreadable[:20]]
        facts.append(table([said("row"), said("reference_text")], rows, said("references_unreadable")))
    return facts


def _repeat_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.duplicates
    facts: list[Markup | str] = [
        said(
            "repeats",
            exact=number(found.exact),
            near=number(found.near),
            similarity=_points(found.similarity),
        )
    ]
    if found.prompts:
        facts.append(
            said(
                "prompts",
                prompts=number(found.prompts),
                rows=number(report.rows),
                near=number(found.near_prompts),
            )
        )
    if found.leak:
        facts.append(
            notice("warn", said("leak", share=_points(found.leak), held_out=_points(found.held_out)))
        )
    if found.largest:
        rows = [(number(cluster.first), number(cluster.rows)) for cluster in found.largest[:10]]
        facts.append(table([said("first_row"), said("rows_in_cluster")], rows, said("largest_clusters")))
    return facts


def _overlap_facts(report: Report, said: Any, folder: str) -> list[Markup | str]:
    found = report.overlap
    facts: list[Markup | str] = []
    if found.suites:
        headers = [said(f"suite_{name}") for name in ("name", "texts", "rows", "problem")]
        rows = [
            (one.name, number(one.texts), number(one.rows), one.problem or NOTHING) for one in found.suites
        ]
        facts += [said("suites_compared"), table(headers, rows)]
    else:
        facts.append(said("no_suites", folder=folder))
    if found.hits:
        hits = [(number(hit.row), hit.suite, number(hit.item), _points(hit.share)) for hit in found.hits[:20]]
        headers = [said("row"), said("suite_name"), said("suite_item"), said("suite_share")]
        facts.append(table(headers, hits))
    for other in found.others:
        facts.append(
            said("in_other", name=other.name, rows=number(other.rows), prompts=number(other.prompts))
        )
    return facts


def _personal_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.personal_data
    if not found.spans:
        return []
    rows = [
        (said(f"kind_{kind}"), number(places), number(found.rows_with.get(kind, 0)))
        for kind, places in found.spans.items()
    ]
    return [said("personal_note"), table([said("kind"), said("places"), said("rows_unit")], rows)]


def _control_facts(report: Report, said: Any) -> list[Markup | str]:
    found = report.control_tokens
    if found is None or not found.spelled:
        return []
    rows = [(spelling, number(records)) for spelling, records in found.spelled.items()]
    return [said("control_tokens_note"), table([said("spelling"), said("rows_unit")], rows)]


def _rejected_facts(report: Report, said: Any, language: str) -> list[Markup | str]:
    if not report.rejected:
        return []
    rows = [
        (
            _reason(reason, language),
            number(reason.rows),
            say("shell.comma", language).join(map(number, reason.first[:10])),
        )
        for reason in report.rejected
    ]
    return [table([said("reason"), said("rows_unit"), said("first_rows")], rows)]


def _reason(reason: RejectedReason, language: str) -> str:
    key = f"data.row_{reason.code}"
    if key not in texts.catalogue(texts.DEFAULT_LANGUAGE):
        return reason.code
    return say(key, language, **reason.values)


def found_rows(
    records: list[tuple[int, Record]], dataset: Dataset, about: dict[int, About], language: str
) -> Markup:
    """Rows with what was found: number, reasons, what is asked, what is answered."""

    def said(key: str, **values: Any) -> str:
        return say(f"reports.{key}", language, **values)

    batch = Batch(Shape(dataset.shape), 1, [record for _, record in records])
    rows = []
    for (row, _), part in zip(records, batch.parts, strict=True):
        name = say("browse.record_n", language, n=number(row))
        place = address(dataset, "records", row=str(row))
        which = html('<a href="{}" aria-label="{}">{}</a>', place, name, number(row))
        reasons = _reasons(about[row], dataset, said) if row in about else Markup()
        rows.append([which, reasons, *map(_excerpt, (part.prompt, part.answer, part.other))])
    columns = 5 if Shape(dataset.shape) is Shape.PREFERENCE else 4
    headers = [said(name) for name in ("row", "reasons", "prompt", "answer", "rejected")]
    return table(headers[:columns], [row[:columns] for row in rows])


def _reasons(found: About, dataset: Dataset, said: Any) -> Markup:
    reasons = [html("<li>{}</li>", said(f"finding_{name}")) for name in found.findings]
    if found.repeats:
        earlier = address(dataset, "records", row=str(found.repeats))
        again = said("repeats_row", row=number(found.repeats))
        reasons.append(html('<li><a href="{}">{}</a></li>', earlier, again))
    return html('<ul class="ts-reasons-of-row">{}</ul>', join(reasons))


def _excerpt(text: str) -> str:
    text = " ".join(text[: EXCERPT * 2].split())
    return f"{text[:EXCERPT]}…" if len(text) > EXCERPT else text or NOTHING


def _percent(rows: int, of: float) -> str:
    return _points(rows / of) if of else ""


def _share(share: Share) -> str:
    return _points(share.share)


def _points(share: float) -> str:
    """``44%``, ``3.1%``, ``0.04%``: as many figures as say something."""
    points = share * 100
    if points in (0, 100):
        return f"{points:.0f}%"
    if 1 <= points <= 99:
        return f"{points:.1f}%".replace(".0%", "%")
    if points > 99:
        return f"{min(points, 99.99):.2f}%"
    return f"{points:.2g}%"
