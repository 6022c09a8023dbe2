"""How an export looks on its own page: the parts that differ from those of a training (``run_view``)."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts import export_files, run_view, run_words
from app.parts.html import NOTHING, html, join, notice, percent, size, stat, table
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.exports import FORMATS, results
from studio_core.exports.manifest import Manifest
from studio_core.exports.parity import Parity
from studio_core.methods.base import Chart


def title_of(job: Job, language: str) -> str:
    """The format; one that this version does not have by its bare name."""
    format = FORMATS.get(job.method or "")
    return say(format.title_key, language) if format else str(job.method)


def result_mark(studio: Studio, job: Job) -> str:
    return "there" if results.of_job(job) else ""


def header(studio: Studio, job: Job, language: str) -> Markup:
    """Name, state with its sentence, what is exported as what, and whether it answers as the original."""
    phrase = phrases("model_exports.", language)
    facts: list[tuple[str, Markup | str]] = [
        (phrase("model"), job.spec["model"]),
        (phrase("format"), title_of(job, language)),
    ]
    manifest = results.of_job(job)
    told = _told(manifest, language) if manifest else ""
    return run_view.titled(studio, job, facts, told, language)


def _told(manifest: Manifest, language: str) -> str:
    return (
        manifest.parity.sentence(language) if manifest.parity else say("model_exports.not_compared", language)
    )


def progress(studio: Studio, job: Job, language: str) -> Markup:
    return html(
        '<div class="ts-progress">{}<span class="ts-progress-time">{}</span></div>',
        run_words.bar(job, language) if job.total_steps else Markup(),
        run_words.time_of(job, language),
    )


def answers(studio: Studio, job: Job, language: str) -> Markup:
    """The comparison, then the files."""
    manifest = results.of_job(job)
    if manifest is None:
        return Markup()
    phrase = phrases("model_exports.", language)
    parity = _parity(manifest.parity, phrase) if manifest.parity else notice("warn", phrase("not_compared"))
    return html(
        "<h2>{}</h2>{}<h2>{}</h2>{}", phrase("parity"), parity, phrase("files"), _files(job, manifest, phrase)
    )


def _parity(parity: Parity, phrase: Phrase) -> Markup:
    figures = [
        stat(phrase("same_text"), f"{parity.same_text} / {parity.prompts}", _interval(parity, phrase)),
        stat(phrase("same_tokens"), f"{parity.same_tokens} / {parity.prompts}", phrase("same_tokens.help")),
    ]
    shown = html('<div class="ts-figures">{}</div>', join(figures))
    if parity.first is None:
        return shown
    first = parity.first
    heads = [phrase("prompt"), phrase("original"), phrase("exported")]
    texts = [
        html('<div class="ts-pre">{}</div>', text) for text in (first.prompt, first.original, first.exported)
    ]
    return html(
        '<div class="ts-stack">{}{}</div>',
        shown,
        table(heads, [texts], phrase("first_difference", number=first.number)),
    )


def _interval(parity: Parity, phrase: Phrase) -> str:
    return phrase("interval", low=percent(parity.low), high=percent(parity.high))


def _files(job: Job, manifest: Manifest, phrase: Phrase) -> Markup:
    rows = [
        [
            html('<a href="{}" download>{}</a>', export_files.address(job.id, name), name),
            size(file.size),
            html('<code class="ts-mono ts-path" title="{0}">{1}…</code>', file.sha256, file.sha256[:16]),
        ]
        for name, file in sorted(manifest.files.items(), key=lambda each: -each[1].size)
    ]
    rows.append(
        [
            html(
                '<a href="{}" download>{}</a>',
                export_files.address(job.id, results.MANIFEST),
                results.MANIFEST,
            ),
            NOTHING,
            NOTHING,
        ]
    )
    return table([phrase("file"), phrase("size"), "SHA-256"], rows)


def links(studio: Studio, job: Job, language: str) -> Markup:
    """Everything at once."""
    manifest = results.of_job(job)
    if manifest is None:
        return Markup()
    total = sum(file.size for file in manifest.files.values())
    return html(
        '<a class="ts-button ts-button-primary" id="export-zip" href="{}" download>{}</a> '
        '<a class="ts-button" id="export-to-hub" href="/export?push={}">{}</a>',
        export_files.archive_address(job.id),
        say("model_exports.download_zip", language, size=size(total)),
        job.id,
        say("model_exports.push", language),
    )


def configuration(job: Job, language: str) -> Markup:
    options = {**job.spec["run"]["options"], "suite": job.spec["suite"], "prompts": job.spec["prompts"]}
    options |= {"max_tokens": job.spec["max_tokens"]}
    rows = [[html("<code>{}</code>", name), str(value)[:300]] for name, value in options.items()]
    manifest = results.of_job(job)
    versions = manifest.versions if manifest else {}
    rows += [[html("<code>{}</code>", name), version] for name, version in versions.items()]
    heads = [say("runs.option", language), say("runs.value", language)]
    return html("<h2>{}</h2>{}", say("runs.configuration", language), table(heads, rows))


def charts(job: Job) -> Sequence[Chart]:
    return ()


def checkpoints(job: Job, language: str) -> Markup:
    return Markup()


def savable(job: Job) -> bool:
    """There is nothing half done to save."""
    return False


def resumable(job: Job) -> bool:
    return job.state in TERMINAL and job.state != State.SUCCEEDED
