"""What a report's checks found beside single records: of tokens, pairs, repeats, and the rest, a card each."""

from __future__ import annotations

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts.html import NOTHING, html, join, notice, number, percent, table
from app.parts.report_charts import word_shown
from studio_core import texts
from studio_core.reports.document import RejectedReason, Report

STRONG_BIAS = 0.6
"""Beyond this share of pairs, even at the near end of its interval, length alone tells the sides apart."""
# Well beyond chance (one half), and below it a person would not act on it; a judgement.
STRONG_SHORTCUT = 0.7


def details(report: Report, language: str, suites_folder: str) -> Markup:
    """What the checks found beside single records."""
    phrase = phrases("reports.", language)
    cards = [
        _card(phrase("about_tokens"), _token_facts(report, phrase)),
        _card(phrase("about_pairs"), _pair_facts(report, phrase), wide=True),
        _card(phrase("about_labels"), _label_facts(report, phrase)),
        _card(phrase("about_references"), _reference_facts(report, phrase)),
        _card(phrase("about_repeats"), _repeat_facts(report, phrase)),
        _card(phrase("about_overlap"), _overlap_facts(report, phrase, suites_folder)),
        _card(phrase("about_personal"), _personal_facts(report, phrase)),
        _card(phrase("about_control_tokens"), _control_facts(report, phrase)),
        _card(phrase("about_rejected"), _rejected_facts(report, phrase, language)),
    ]
    return html('<div class="ts-report-facts">{}</div>', join(card for card in cards if card))


def _card(title: str, facts: list[Markup | str], *, wide: bool = False) -> Markup:
    if not facts:
        return Markup()
    body = join(fact if isinstance(fact, Markup) else html("<p>{}</p>", fact) for fact in facts)
    kind = " ts-wide" if wide else ""
    return html('<section class="ts-card{}"><h3>{}</h3>{}</section>', kind, title, body)


def _token_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    counts = report.tokens
    if counts is None:
        button = '<button type="button" class="ts-button" data-make="1">{}</button>'
        return [phrase("no_tokenizer"), html("<p>{}</p>", html(button, phrase("with_tokenizer")))]
    facts: list[Markup | str] = []
    if counts.refused:
        facts.append(notice("warn", phrase("template_refuses", n=number(counts.refused), model=report.model)))
    if counts.tokens is None:
        return facts
    total = phrase("about_n", n=number(counts.total)) if counts.sampled else number(counts.total)
    facts.append(
        phrase(
            "tokens_spread", model=report.model, median=number(counts.tokens.quantiles["0.5"], 0), total=total
        )
    )
    if counts.sampled:
        facts.append(phrase("sampled", n=number(counts.counted), rows=number(report.rows)))
    if counts.cut is not None:
        key = "cut_none" if not counts.cut.rows else "cut_sampled" if counts.sampled else "cut_exactly"
        facts.append(
            phrase(
                key,
                limit=number(counts.limit),
                rows=number(counts.cut.rows),
                share=percent(counts.cut.share),
                low=percent(counts.cut.low),
                high=percent(counts.cut.high),
            )
        )
    rows = [(number(limit), percent(part)) for limit, part in counts.over.items() if part or limit <= 1024]
    return [*facts, table([phrase("limit"), phrase("longer_share")], rows)]


def _pair_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    pairs = report.pairs
    if pairs is None:
        return []
    longer = pairs.longer_chosen
    interval = {"low": percent(longer.low), "high": percent(longer.high)}
    facts: list[Markup | str] = [
        phrase(
            "longer_chosen",
            rows=number(longer.rows),
            of=number(longer.of),
            share=percent(longer.share),
            equal=number(pairs.equal_length),
            **interval,
        )
    ]
    if longer.low > STRONG_BIAS or longer.high < 1 - STRONG_BIAS:
        side = "longer_bias" if longer.low > 0.5 else "shorter_bias"
        facts.append(notice("warn", phrase(side)))
    kind = "warn" if pairs.shortcut >= STRONG_SHORTCUT else "info"
    facts.append(notice(kind, phrase(f"shortcut_{kind}", share=percent(pairs.shortcut))))  # type: ignore[arg-type]
    if pairs.markers:
        headers = [phrase(f"marker_{name}") for name in ("word", "chosen", "rejected", "right", "accuracy")]
        rows = [
            (
                html("<code>{}</code>", word_shown(marker.word)),
                number(marker.chosen),
                number(marker.rejected),
                phrase(
                    "share_interval",
                    share=percent(marker.right.share),
                    low=percent(marker.right.low),
                    high=percent(marker.right.high),
                ),
                percent(marker.accuracy),
            )
            for marker in pairs.markers
        ]
        facts.append(table(headers, rows, phrase("markers_title")))
    return facts


def _label_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    labels = report.labels
    if labels is None:
        return []
    return [
        phrase("labels", share=percent(labels.good.share), rows=number(labels.good.rows)),
        phrase("label_words", good=number(labels.words_good, 0), bad=number(labels.words_bad, 0)),
    ]


def _reference_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    references = report.references
    if references is None:
        return []
    facts: list[Markup | str] = [
        phrase(
            "references_in_solutions" if references.column == "completion" else "references",
            column=references.column,
            numbers=number(references.numbers),
            texts=number(references.texts),
            missing=number(references.missing),
        )
    ]
    if references.unreadable:
        rows = [
            (number(reference.row), reference.text or NOTHING) for reference in references.unreadable[:20]
        ]
        facts.append(table([phrase("row"), phrase("reference_text")], rows, phrase("references_unreadable")))
    return facts


def _repeat_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    repeats = report.duplicates
    facts: list[Markup | str] = [
        phrase(
            "repeats",
            exact=number(repeats.exact),
            near=number(repeats.near),
            similarity=percent(repeats.similarity),
        )
    ]
    if repeats.prompts:
        facts.append(
            phrase(
                "prompts",
                prompts=number(repeats.prompts),
                rows=number(report.rows),
                near=number(repeats.near_prompts),
            )
        )
    if repeats.leak:
        facts.append(
            notice("warn", phrase("leak", share=percent(repeats.leak), held_out=percent(repeats.held_out)))
        )
    if repeats.largest:
        rows = [(number(cluster.first), number(cluster.rows)) for cluster in repeats.largest[:10]]
        facts.append(
            table([phrase("first_row"), phrase("rows_in_cluster")], rows, phrase("largest_clusters"))
        )
    return facts


def _overlap_facts(report: Report, phrase: Phrase, folder: str) -> list[Markup | str]:
    overlap = report.overlap
    facts: list[Markup | str] = []
    if overlap.suites:
        headers = [phrase(f"suite_{name}") for name in ("name", "texts", "rows", "problem")]
        rows = [
            (suite.name, number(suite.texts), number(suite.rows), suite.problem or NOTHING)
            for suite in overlap.suites
        ]
        facts += [phrase("suites_compared"), table(headers, rows)]
    else:
        facts.append(phrase("no_suites", folder=folder))
    if overlap.hits:
        hits = [
            (number(hit.row), hit.suite, number(hit.item), percent(hit.share)) for hit in overlap.hits[:20]
        ]
        headers = [phrase("row"), phrase("suite_name"), phrase("suite_item"), phrase("suite_share")]
        facts.append(table(headers, hits))
    for other in overlap.others:
        facts.append(
            phrase("in_other", name=other.name, rows=number(other.rows), prompts=number(other.prompts))
        )
    return facts


def _personal_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    personal = report.personal_data
    if not personal.spans:
        return []
    rows = [
        (phrase(f"kind_{kind}"), number(places), number(personal.rows_with.get(kind, 0)))
        for kind, places in personal.spans.items()
    ]
    return [phrase("personal_note"), table([phrase("kind"), phrase("places"), phrase("rows_unit")], rows)]


def _control_facts(report: Report, phrase: Phrase) -> list[Markup | str]:
    tokens = report.control_tokens
    if tokens is None or not tokens.spelled:
        return []
    rows = [(spelling, number(records)) for spelling, records in tokens.spelled.items()]
    return [phrase("control_tokens_note"), table([phrase("spelling"), phrase("rows_unit")], rows)]


def _rejected_facts(report: Report, phrase: Phrase, language: str) -> list[Markup | str]:
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
    return [table([phrase("reason"), phrase("rows_unit"), phrase("first_rows")], rows)]


def _reason(reason: RejectedReason, language: str) -> str:
    key = f"data.row_{reason.code}"
    if key not in texts.catalogue(texts.DEFAULT_LANGUAGE):
        return reason.code
    return say(key, language, **reason.values)
