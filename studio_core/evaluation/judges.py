"""Who judges an evaluation, whether anybody can, and what the judge will be asked: told before anything is paid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.evaluation import results
from studio_core.evaluation.protocols import protocol_of
from studio_core.evaluation.questions import chosen, items_of, suite_of
from studio_core.generation import services
from studio_core.generation.services import Service
from studio_core.models import registry
from studio_core.runs.spec import EvalRun, EvalSpec, ResolvedModel, ResolvedSuite
from studio_core.suites.judged.protocol import Protocol
from studio_core.suites.judged.references import references

# An answer to an open question, where no earlier evaluation says how long a model's are: AlpacaEval's published
# baseline writes some 2,000 characters, of four a token, and small models less.
ANSWER_TOKENS = 400

Judge = ResolvedModel | Service


@dataclass(frozen=True)
class JudgeWork:
    """What the judge will be asked of one suite, about; of all models together."""

    suite: str
    protocol: str
    items: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    """By the prices of the service; None: it has none, or a model of the studio judges."""


def judge_of(studio: Studio, spec: EvalSpec, suites: Sequence[ResolvedSuite]) -> Judge | None:
    """Who judges; None where nobody is needed.

    Raises ``BadInput`` where a suite needs a judge and not exactly one is named, one is named in vain, or a protocol
    compares with a baseline and there is one model only, or with published answers and none is here; ``NotFound`` of
    a judge that there is not.
    """
    judged = [(suite.choice.title, protocol) for suite in suites if (protocol := protocol_of(suite.choice))]
    if not judged:
        if named := spec.judge_model or spec.judge_service:
            raise BadInput("evaluation.judge_in_vain", judge=named)
        return None
    if bool(spec.judge_model) == bool(spec.judge_service):
        key = "evaluation.two_judges" if spec.judge_model else "evaluation.judge_needed"
        titles = ", ".join(title for title, _ in judged)
        raise BadInput(key, suite=titles, model=spec.judge_model, service=spec.judge_service)
    alone = next((title for title, protocol in judged if protocol.needs_baseline), "")
    if alone and len(spec.models) < 2:
        raise BadInput("evaluation.no_baseline", suite=alone, model=spec.models[0])
    for resolved in suites:
        protocol = protocol_of(resolved.choice)
        if protocol and protocol.takes_published and not any(map(references, items_of(resolved))):
            raise BadInput("evaluation.nothing_published", suite=resolved.choice.title)
    if spec.judge_model:
        return registry.resolve(studio, spec.judge_model)
    return services.get(studio.settings.home / services.FILE, spec.judge_service)


def told_apart(suite: ResolvedSuite, judge: Judge | None, baseline: ResolvedModel) -> ResolvedSuite:
    """A judged suite under a hash of all that its verdicts hang on: those of two judges are not compared."""
    protocol = protocol_of(suite.choice)
    if protocol is None or judge is None:
        return suite
    judging = [protocol.name, protocol.options.model_dump(), *_identity(judge)]
    beside = _identity(baseline) if protocol.needs_baseline else []
    text = json.dumps([suite.sha256, judging, beside], sort_keys=True)
    return suite.model_copy(update={"sha256": hashlib.sha256(text.encode()).hexdigest()})


def _identity(judge: Judge) -> list[str]:
    if isinstance(judge, Service):
        return [judge.address, judge.model]
    return [judge.path, judge.adapter or ""]


def work_of(studio: Studio, run: EvalRun) -> list[JudgeWork]:
    """What the judge will be asked, suite by suite; raises ``BadInput`` of questions that cannot be read."""
    name = run.spec.judge_service
    service = services.get(studio.settings.home / services.FILE, name) if name else None
    judged = [(suite, protocol) for suite in run.suites if (protocol := protocol_of(suite.choice))]
    return [_work(studio, run, suite, protocol, service) for suite, protocol in judged]


def _work(
    studio: Studio, run: EvalRun, suite: ResolvedSuite, protocol: Protocol, service: Service | None
) -> JudgeWork:
    items = items_of(suite)
    items = tuple(items[place] for place in chosen(len(items), run.spec.limit))
    models = list(run.models)
    length = _answer_tokens(studio, suite, models)
    about = protocol.cost(items, [length] * len(items))
    times = len(models) - protocol.needs_baseline
    tokens_in, tokens_out = times * about.tokens_in, times * about.tokens_out
    priced = service is not None and (service.price_in or service.price_out)
    return JudgeWork(
        suite.choice.title,
        protocol.name,
        len(items),
        times * about.calls,
        tokens_in,
        tokens_out,
        service.cost(tokens_in, tokens_out) if service is not None and priced else None,
    )


def _answer_tokens(studio: Studio, suite: ResolvedSuite, models: Sequence[str]) -> int:
    """As these models answered this suite before, else a guess."""
    earlier = [row.figures.get("tokens") for row in results.newest(studio, models, [suite.choice.title])]
    known = [tokens for tokens in earlier if tokens]
    return round(fmean(known)) if known else min(ANSWER_TOKENS, suite_of(suite.choice).max_tokens)
