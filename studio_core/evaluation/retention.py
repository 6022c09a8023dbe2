"""What a model still knows after a training: an evaluation of it and of the model that it was trained from.

It is queued by itself once the training's model is registered, unless the run or the owner has switched it off, starts
after all that people have asked for, and takes a tenth of the training's own time.
"""

from __future__ import annotations

from sqlalchemy import select

from studio_core import methods
from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.evaluation import loading, sentences, submitting
from studio_core.models import registry
from studio_core.runs import order
from studio_core.runs.spec import EvalSpec, SuiteChoice
from studio_core.suites import SUITES

OF_DEMO = ("identity", "facts", "sums", "instructions", "drift", "perplexity")
"""For models of the demo world, which is all that they know."""
OF_OTHERS = ("instructions", "sums", "drift", "gsm8k", "mmlu_pro", "ifeval")
"""For all others: knowledge, sums and instructions as they are published, where their files are here."""

SHARE = 0.1
# One question of each suite is asked in any case: what there is no time for is not promised.
LEAST = 1
# Seconds of the job in which nothing is asked: until its worker is there, and while it gives up what comes too late.
AROUND = 1.0


def after(studio: Studio, job: Job) -> Job | None:
    """Queue the evaluation that follows a training; None where there is none to follow. Twice gives the same job."""
    model = registry.result_of(studio, job.id)
    base = (job.spec.get("run", {}).get("model") or {}).get("id")
    wanted = studio.settings.retention and job.spec.get("retention", True)
    if not wanted or model is None or base is None or not methods.writes(job.method):
        return None
    seconds = (model.details.get("training") or {}).get("seconds")
    if not seconds:
        return None
    spec = EvalSpec(
        name=f"retention: {model.name}"[:80],
        models=[registry.get(studio, base).name, model.name],
        suites=[SuiteChoice(name=name) for name in suites(studio, model)],
        seconds=max(AROUND, SHARE * seconds - AROUND),
        least=LEAST,
        device=job.spec.get("device", "auto"),
        priority=-order.HIGHEST_PRIORITY,
    )
    return submitting.submit(studio, spec, key=_key(job))


def suites(studio: Studio, model: Model) -> list[str]:
    """Those that tell what a model has kept, as far as their questions are here."""
    of_demo = registry.lineage(studio, model)[-1].model.source == "demo"
    return [
        name
        for name in (OF_DEMO if of_demo else OF_OTHERS)
        if name in SUITES and SUITES[name].file(studio.settings.suites).is_file()
    ]


def of_run(studio: Studio, job: Job) -> Job | None:
    """The evaluation that followed a training, or the newest one that resumed it."""
    with studio.db.read() as session:
        evaluation = session.scalar(select(Job).where(Job.idempotency_key == _key(job)))
        later = evaluation
        while later is not None:
            evaluation = later
            resumed = select(Job).where(Job.resumes_id == later.id).order_by(Job.id.desc()).limit(1)
            later = session.scalar(resumed)
        return evaluation


def verdict(studio: Studio, evaluation: Job, language: str) -> str:
    """What came of it in one sentence, or that its items are gone; empty before there is anything."""
    try:
        report = loading.of_job(studio, evaluation, language)
    except NotFound as error:
        return error.sentence(language)
    return sentences.verdict(report, evaluation.spec["models"][-1], language) if report else ""


def _key(job: Job) -> str:
    # Registered again after a fault, a training is still followed once.
    return f"retention:{job.id}"
