"""A new evaluation: which models, which suites or test set, how many questions, who judges, and what that will cost."""

from __future__ import annotations

from typing import Any, get_args

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.choices import NONE, Choices, known_services, named_models, reward_models
from app.parts.events import ASKED, GO, LIGHT, on_open, typed
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, join, notice, number, panel
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.validation import validate
from studio_core.curation.asking import PROMPTED
from studio_core.data import store, versions
from studio_core.evaluation import browsing, judges, retention, submitting
from studio_core.evaluation.judges import JudgeWork
from studio_core.models import registry
from studio_core.rewards import DEFAULT, REWARDS
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import EvalSpec
from studio_core.suites import SUITES, adding, lm_eval, suites_in
from studio_core.suites.judged import PROTOCOLS
from studio_core.suites.judged.protocol import BaselineOptions

# Half a minute for two demo models on a CPU; the interval of a share is then at most 10 points to either side.
LIMIT = 100
RUBRICS = ("rubric", "rubric_pairs")
"""Protocols that take any questions, and so those of a test set."""
FIRST = "first"
"""The baseline that a protocol which compares has of itself."""
_MODEL = "model:"
"""Before the name of a model, among names of rewards or services."""
FIELDS = ("models", "suites", "lm_eval", "test_set", "reward", "limit", "judge", "baseline", "criteria")


def build(studio: Studio) -> None:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="ts-card", elem_id="evaluate-new"):
        heading("evaluation.new", "evaluation.new_lead")
        parts |= {name: _dropdown(name, multiselect=True) for name in ("models", "suites")}
        parts["lm_eval"] = _text("lm_eval", "", max_lines=1)
        with gr.Row():
            parts |= {name: _dropdown(name) for name in ("test_set", "reward")}
            parts["limit"] = _text("limit", str(LIMIT), max_lines=1, min_width=110)
        with gr.Row():
            parts |= {name: _dropdown(name) for name in ("judge", "baseline")}
            parts["criteria"] = _text("criteria", "", lines=2, scale=2)
        parts["told"] = panel("evaluate-told")
        start = gr.Button(t("evaluation.start"), variant="primary", elem_id="evaluate-start", scale=0)
    address = gr.Textbox(visible=False)
    form = Form(studio, parts)
    on_open(form.open, list(parts.values()))
    fields = [parts[name] for name in FIELDS]
    gr.on(typed(fields), safely(form.told), fields, [parts["told"]], **LIGHT, trigger_mode="always_last")
    start.click(safely(form.started), fields, [address], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[address]
    )


def _dropdown(name: str, **more: Any) -> gr.Dropdown:
    labels = {"label": t(f"evaluation.{name}"), "info": t(f"evaluation.{name}_help")}
    return gr.Dropdown([], elem_id=f"evaluate-{name}", **labels, **more)


def _text(name: str, value: str, **more: Any) -> gr.Textbox:
    labels = {"label": t(f"evaluation.{name}"), "info": t(f"evaluation.{name}_help")}
    return gr.Textbox(value, elem_id=f"evaluate-{name}", **labels, **more)


class Form(Handlers):
    def open(self, request: gr.Request) -> Updates:
        """``/evaluate?models=a,b&suites=c`` has these chosen."""
        registry.ensure_demo_models(self.studio)
        store.ensure_samples(self.studio)
        language, asked = language_of(request), request.query_params
        # Of checkpoints those that the address names; a list of all would be long, and most are of no use.
        offered = registry.writers(self.studio, also=asked.get("models", "").split(","))
        models = [model.name for model in offered]
        suites = self._suites(language)
        chosen = _named(asked.get("models"), models)
        # Who comes from a run wants to see what its model has kept.
        usual = retention.suites(self.studio, registry.find(self.studio, chosen[0])) if chosen else []
        tasks = [
            name.removeprefix(lm_eval.PREFIX)
            for name in asked.get("suites", "").split(",")
            if name.startswith(lm_eval.PREFIX)
        ]
        # An evaluation of tasks only is asked again as it was.
        wanted = _named(asked.get("suites"), [name for _, name in suites]) or ([] if tasks else usual)
        return self._updates(
            models=gr.Dropdown(choices=named_models(self.studio, offered, language), value=chosen),
            suites=gr.Dropdown(choices=suites, value=wanted),
            lm_eval=", ".join(tasks),
            test_set=gr.Dropdown(choices=self._test_sets(language), value=""),
            reward=gr.Dropdown(choices=self._scores(language), value=DEFAULT),
            limit=str(LIMIT),
            judge=gr.Dropdown(choices=self._judges(models, language), value=""),
            baseline=gr.Dropdown(choices=_baselines(language), value=FIRST),
            criteria="",
            told="",
        )

    def _suites(self, language: str) -> Choices:
        folder = self.studio.settings.suites
        return [
            (browsing.title(name, language), name)
            for name, suite in suites_in(folder).items()
            if (suite.benchmark and not adding.lacking(self.studio, suite)) or suite.file(folder).is_file()
        ]

    def _test_sets(self, language: str) -> Choices:
        named = [
            f"{dataset.name}@{dataset.version}"
            for dataset in versions.offered(self.studio)
            if dataset.shape in PROMPTED
        ]
        return [(say("evaluation.no_test_set", language), ""), *((name, name) for name in named)]

    def _scores(self, language: str) -> Choices:
        """What may score the answers to a test set: rewards, reward models, and a judge by criteria."""
        rewards = [(say(reward.title_key, language), name) for name, reward in REWARDS.items()]
        models = [(name, f"{_MODEL}{name}") for _, name in reward_models(self.studio, None, language)]
        return [*rewards, *models, *((say(f"suites.protocols.{name}", language), name) for name in RUBRICS)]

    def _judges(self, models: list[str], language: str) -> Choices:
        """By what they are: a model and a service may have one name."""
        services = [
            (label, f"service:{name}") for label, name in known_services(self.studio, None, language) if name
        ]
        return [NONE, *((name, f"model:{name}") for name in models), *services]

    def told(self, request: gr.Request, *fields: Any) -> Markup:
        """What the judge would be asked; while something lacks, nothing: the button says what."""
        try:
            work = judges.work_of(self.studio, submitting.resolved(self.studio, _spec(fields)))
        except StudioError:
            return Markup()
        language = language_of(request)
        return join(notice("info", _work(each, language)) for each in work)

    def started(self, *fields: Any) -> str:
        """Queue the evaluation; the page goes to it."""
        job = submitting.submit(self.studio, _spec(fields))
        ensure_engine(self.studio)
        return f"/evaluate?job={job.id}"


def _spec(fields: tuple[Any, ...]) -> EvalSpec:
    """What the fields ask for; raises ``BadInput`` that says what lacks."""
    models, suites, tasks, test_set, reward, limit, judge, baseline, criteria = fields
    choices = [_suite(str(name), baseline) for name in suites] if isinstance(suites, list) else []
    choices += [{"name": name} for name in _tasks(str(tasks or ""))]
    if test_set:
        choices.append(_test_set(str(test_set), str(reward or ""), str(criteria or "")))
    if not (isinstance(models, list) and models):
        raise BadInput("evaluation.no_models")
    if not choices:
        raise BadInput("evaluation.nothing_chosen")
    kind, _, name = str(judge or "").partition(":")
    wanted = {
        "models": [str(model) for model in models],
        "suites": choices,
        "limit": str(limit or "").strip() or None,
        "judge_model": name if kind == "model" else "",
        "judge_service": name if kind == "service" else "",
    }
    return validate(EvalSpec, wanted, "evaluation.invalid")


def _suite(name: str, baseline: Any) -> dict[str, Any]:
    """A suite; with another baseline than its own where there is one to be had."""
    suite = SUITES.get(name)
    has_others = suite is not None and suite.protocol and isinstance(suite.protocol.options, BaselineOptions)
    return {"name": name, "options": {"baseline": str(baseline)} if has_others and baseline != FIRST else {}}


def _baselines(language: str) -> Choices:
    names = get_args(BaselineOptions.model_fields["baseline"].annotation)
    return [(say(f"suites.protocols.baseline.{name}", language), name) for name in names]


def _test_set(dataset: str, reward: str, criteria: str) -> dict[str, Any]:
    if reward in RUBRICS and reward in PROTOCOLS:
        return {"dataset": dataset, "protocol": reward, "options": {"criteria": criteria} if criteria else {}}
    if reward.startswith(_MODEL):
        return {"dataset": dataset, "reward_model": reward.removeprefix(_MODEL)}
    return {"dataset": dataset, "reward": {"name": reward} if reward else None}


def _work(work: JudgeWork, language: str) -> str:
    words = say(
        "evaluation.judge_work",
        language,
        suite=browsing.title(work.suite, language),
        calls=work.calls,
        tokens=number(work.tokens_in + work.tokens_out),
    )
    cost = say("evaluation.judge_cost", language, cost=number(work.cost)) if work.cost is not None else ""
    return words + cost


def _tasks(text: str) -> list[str]:
    """The suites of tasks of lm-evaluation-harness: ``gsm8k, arc_easy::acc`` -> ``lm_eval:gsm8k``,
    ``lm_eval:arc_easy::acc``."""
    return [f"{lm_eval.PREFIX}{name.strip()}" for name in text.split(",") if name.strip()]


def _named(asked: str | None, known: list[str]) -> list[str]:
    return [name for name in (asked or "").split(",") if name in known]
