"""What every method with every way of tuning must be: the suite that a new one passes before it is offered.

A class that inherits gives the fixture ``case``: a method and a tuning. Both are trained by their own scripts, queued,
started, ingested and registered by the real engine; only the process of their own is spared (``InThisProcess``).
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlparse

import gradio as gr
import pytest
import torch
import typer
from gradio.routes import App
from safetensors.torch import load_file

from app.cli import assembled
from app.i18n import translated
from app.parts import live_chart, option_inputs, plan_card, run_list, run_view, train_form
from app.parts.labeling import results as results_section
from app.parts.labeling import rounds as rounds_section
from app.parts.options_state import OptionsState, fields_of
from app.parts.role_fields import data_of, models_of, rewards_of
from jobs.generation.models import Models
from jobs.generation.scoring import loaded
from jobs.generation.sides import Side, answer
from studio_core import texts, training
from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Job, Model
from studio_core.data.shapes import Shape
from studio_core.generation.sampling import Sampling
from studio_core.labeling import rounds
from studio_core.labeling.records import SCORE, SHAPE_OF
from studio_core.methods import METHODS
from studio_core.methods.base import Method, validated
from studio_core.models import registry
from studio_core.runs import run_folder
from studio_core.runs.spec import RoleName, TrainSpec
from studio_core.texts import LANGUAGES
from studio_core.training import Plan
from studio_core.tunings import TUNINGS
from studio_core.tunings.base import Tuning
from tests.integration.in_this_process import carried_out, stop_at
from tests.integration.miniature import chats, judged, pairs, rankings, scored, stepwise
from tests.reference import markdown
from tests.unit.studio_core.labeling.comparing import compared, judged_at_once, pair, rated
from tests.unit.studio_core.training.runs import imported

ROWS = {
    Shape.CHAT: chats(24),
    Shape.PROMPT_COMPLETION: [{"prompt": f"say {n}", "completion": "yes"} for n in range(24)],
    Shape.TEXT: [{"text": f"once upon a time {n}"} for n in range(24)],
    Shape.PREFERENCE: pairs(24),
    Shape.UNPAIRED_PREFERENCE: judged(24),
    Shape.SCORED: scored(24),
    Shape.RANKING: rankings(24),
    Shape.STEPWISE: stepwise(24),
    Shape.PROMPT_ONLY: [
        {"prompt": [{"role": "user", "content": f"{n} plus {n + 1}"}], "answer": str(2 * n + 1)}
        for n in range(24)
    ],
}
OPTIONS = {"batch_size": 8, "epochs": 3.0, "save_steps": 4, "precision": "fp32", "eval_share": 0.2}
"""9 steps of 19 rows, 5 held out; a stop in the middle leaves some to go on with."""
STEPS, STOP_AT = 9, 5


SHORT = {"max_new_tokens": 24}
"""Answers that a test can wait for."""
ROLLOUTS = {**SHORT, "num_generations": 4, "epochs": 1.0}
"""Nine steps of an epoch, of two prompts each."""


@cache
def reference(methods: tuple[str, ...], tunings: tuple[str, ...]) -> str:
    """The reference, as it is while there are these: toys come and go."""
    return markdown()


@dataclass(frozen=True)
class Case:
    method: Method
    tuning: Tuning
    further: dict[str, Any] = field(default_factory=dict)
    """Options beyond those of all cases: what it needs to learn something in so few steps."""

    @property
    def options(self) -> dict[str, Any]:
        short = SHORT if "max_new_tokens" in self.method.Options.model_fields else {}
        return {**OPTIONS, **short, **(ROLLOUTS if self.method.rewards else {}), **self.further}

    @property
    def rewards(self) -> list[dict[str, Any]]:
        """One that every answer has another value of, so that every step has something to learn from."""
        return [{"name": "near_length", "options": {"characters": 12}}] if self.method.rewards else []

    @property
    def models(self) -> dict[RoleName, str]:
        """A model for each role that needs one, another than the one that learns."""
        return {role.name: "tiny-base" for role in self.method.named_roles.values() if not role.optional}

    def __str__(self) -> str:
        return f"{self.method.name}-{self.tuning.name}"


@dataclass(frozen=True)
class Runs:
    """The same training carried out whole, stopped on its way, and resumed."""

    studio: Studio
    spec: TrainSpec
    plan: Plan
    whole: Job
    stopped: Job
    resumed: Job


def reports(job: Job) -> list[dict[str, Any]]:
    lines = (Path(str(job.run_dir)) / run_folder.EVENTS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def weights(job: Job) -> dict[str, torch.Tensor]:
    merged: dict[str, torch.Tensor] = {}
    for file in sorted((Path(str(job.run_dir)) / run_folder.MODEL).glob("*.safetensors")):
        merged |= load_file(file)
    return merged


def choices_of(patch: pytest.MonkeyPatch, section: Any, elem_id: str) -> dict[str, Any]:
    """What a dropdown of a section of the labelling page offers: ``{value: label}``."""
    patch.setattr(App, "create_app", staticmethod(lambda *args, **given: None))

    async def draw() -> dict[str, Any]:  # Outside of a running loop Gradio makes one that nobody closes.
        with gr.Blocks() as page, gr.Tab() as tab:
            section.build(None, tab)
        [drawn] = [block for block in page.blocks.values() if getattr(block, "elem_id", "") == elem_id]
        return {value: label for label, value in drawn.choices}

    return asyncio.run(draw())


class MethodConformance:
    @pytest.fixture(scope="class")
    def case(self, request: pytest.FixtureRequest) -> Case:
        """The method and the tuning that are to conform."""
        raise NotImplementedError

    @pytest.fixture(scope="session")
    def studio(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
        """One for all cases: what one leaves must not be in the way of another."""
        studio = open_studio(home=tmp_path_factory.mktemp("conformance") / "home")
        registry.ensure_demo_models(studio)
        yield studio
        studio.close()

    @pytest.fixture(scope="class")
    def runs(self, case: Case, studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Runs:
        name = f"rows-for-{case}-{len(case.further)}"
        imported(studio, name, ROWS[case.method.shapes[0]], tmp_path_factory.mktemp(name))
        spec = training.spec_from(
            {
                "method": case.method.name,
                "tuning": case.tuning.name,
                "model": "tiny-chat",
                "dataset": name,
                "models": case.models,
                "rewards": case.rewards,
                "options": case.options,
                "prompts": ["say a"] if case.method.writes else [],
            }
        )
        plan = training.plan(studio, spec)
        whole = carried_out(studio, training.submit(studio, spec))
        with pytest.MonkeyPatch.context() as patch:
            stop_at(STOP_AT, patch)
            stopped = carried_out(studio, training.submit(studio, spec))
        resumed = carried_out(studio, training.resume(studio, stopped.id))
        return Runs(studio, spec, plan, whole, stopped, resumed)

    def test_the_form_draws_its_options(self, case: Case) -> None:
        options = validated(case.method, "balanced", case.tuning.name, 2_000_000).model_dump(mode="json")
        state = OptionsState(case.method.name, case.tuning.name, options)
        beside = (*models_of(case.method), *rewards_of(case.method), *data_of(case.method))
        roles = [field.name for field in beside]
        for language in LANGUAGES:
            form = str(train_form.options(state, language, {}))
            names = {name: name.replace(".", "-") for name in (*options, *roles)}
            assert set(re.findall(r' name="([\w.]+)"', form)) == names.keys()
            assert set(re.findall(r'id="train-opt-([\w-]+)-help"', form)) == set(names.values())
            methods = train_form.methods(case.method.name, language)
            assert f'<div class="ts-chooser" data-value="{case.method.name}">' in methods
            tunings = train_form.tunings(case.method.name, case.tuning.name, language)
            assert f'<div class="ts-chooser" data-value="{case.tuning.name}">' in tunings
        fields = [field for field in fields_of(case.method.name, case.tuning.name) if field.name in options]
        inputs = {field.name: option_inputs.shown(field, options[field.name]) for field in fields}
        boxes = {field.name: options[field.name] for field in fields if field.kind in ("bool", "choices")}
        assert state.held({**inputs, **boxes}).changes == {}

    def test_the_command_line_takes_it(self, runs: Runs) -> None:
        command = typer.main.get_command(assembled()).commands["train"]  # type: ignore[attr-defined]
        words = training.to_command(runs.spec).split()[4:]
        given = command.make_context("train", words, resilient_parsing=True).params
        assert (given["method"], given["tuning"]) == (runs.spec.method, runs.spec.tuning)
        assert set(given["set_"]) == {f"{name}={value}" for name, value in runs.spec.options.items()}
        assert training.from_yaml(training.to_yaml(runs.spec)) == runs.spec

    def test_the_reference_says_what_it_is(self, case: Case) -> None:
        written = reference(tuple(METHODS), tuple(TUNINGS))
        assert f"### {case.method.name}: " in written and f"### {case.tuning.name}: " in written
        for option in (*case.method.fields, *case.tuning.fields):
            assert f"| `{option.name}` |" in written

    def test_the_plan_knows_what_it_needs(self, runs: Runs) -> None:
        plan = runs.plan
        assert plan.ready, [problem.sentence() for problem in plan.problems]
        assert plan.steps == STEPS and plan.seconds and plan.disk and plan.memory
        assert plan.memory.weights and plan.memory.activations and plan.memory.gradients
        assert runs.whole.total_steps == plan.steps
        assert all(word in plan_card.card(plan, "zh-CN") for word in ("ts-", str(STEPS)))

    def test_more_rows_need_more_memory(self, runs: Runs) -> None:
        # Four times: to TRPO the curvature of 8 answers is as much as a pass over 16.
        larger = runs.spec.model_copy(update={"options": {**runs.spec.options, "batch_size": 32}})
        more = training.plan(runs.studio, larger).memory
        # What was computed: what is told is corrected by what the runs here have used meanwhile.
        assert more and runs.plan.memory and more.computed > runs.plan.memory.computed

    def test_it_ends_well_and_says_what_it_did(self, case: Case, runs: Runs) -> None:
        assert (runs.whole.state, runs.whole.cause) == (State.SUCCEEDED, None), runs.whole.detail
        told = reports(runs.whole)
        phases = [event["phase"] for event in told if event["type"] == "phase"]
        assert phases == ["loading", "preparing", "training", "saving"]
        [config] = [event["values"] for event in told if event["type"] == "config"]
        options = validated(
            case.method, "balanced", case.tuning.name, 2_000_000, runs.spec.options
        ).model_dump()
        decided = {"activation_checkpointing", "packing", "precision"}  # By the worker, where they say auto.
        assert {name: config[name] for name in options.keys() - decided} == {
            name: value for name, value in options.items() if name not in decided
        }
        assert 0 < config["trained_parameters"] <= config["parameters"]
        assert (config["trained_parameters"] == config["parameters"]) is (case.tuning.name == "full")

    def test_it_reports_what_its_page_shows(self, case: Case, runs: Runs) -> None:
        told = [event["values"] for event in reports(runs.whole) if event["type"] == "metrics"]
        values = {name: value for report in told for name, value in report.items()}
        headline = values[case.method.headline[0]]
        assert headline is not None and math.isfinite(headline)
        assert {*case.method.headline, "loss", "grad_norm", "learning_rate", "seconds_left"} <= values.keys()
        assert any(name.startswith("eval_") for name in values)
        for chart in run_view.charts(runs.whole):
            assert values.keys() & set(chart.metrics), f"no value ever came for the chart {chart.name}"
        if case.method.rewards:  # Its loss is a gradient's, and no measure of anything.
            assert any(report.get("grad_norm", 0) > 0 for report in told)
            return
        losses = [report["loss"] for report in told if "loss" in report]
        # Each is of other rows, and of other answers where the model writes them.
        assert sum(losses[-3:]) < sum(losses[:3])

    def test_it_answers_before_on_the_way_and_afterwards(self, case: Case, runs: Runs) -> None:
        samples = [event for event in reports(runs.whole) if event["type"] == "sample"]
        expected = {"before", "during", "after"} if case.method.writes else set()
        assert {event["when"] for event in samples} == expected

    def test_what_it_leaves_is_whole(self, runs: Runs) -> None:
        folder = Path(str(runs.whole.run_dir))
        model = folder / run_folder.MODEL
        assert not list(folder.glob(".*partial*")) and not list(model.rglob("*.bin"))
        assert [file.name for file in model.iterdir() if file.is_dir()] == []  # No reference's adapter.
        [result] = [event for event in reports(runs.whole) if event["type"] == "result"]
        assert result["state"] == "succeeded" and result["step"] == result["total_steps"] == STEPS
        assert result["peak_memory"] > 0

    def test_a_stop_saves_and_a_resumed_run_equals_the_unbroken_one(self, runs: Runs) -> None:
        assert (runs.stopped.state, runs.stopped.cause) == (State.SUCCEEDED, Cause.STOPPED)
        assert STOP_AT <= runs.stopped.step < STEPS and weights(runs.stopped)
        assert (runs.resumed.state, runs.resumed.step) == (State.SUCCEEDED, STEPS)
        one, other = weights(runs.whole), weights(runs.resumed)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert any(not torch.equal(one[name], weights(runs.stopped)[name]) for name in one)

    def test_what_learns_is_held_in_full_precision(self, case: Case, runs: Runs) -> None:
        [config] = [event["values"] for event in reports(runs.whole) if event["type"] == "config"]
        assert config["precision"] == "fp32"
        if self._made(runs).kind == "adapter":
            assert {weight.dtype for weight in weights(runs.whole).values()} == {torch.float32}

    def test_the_result_is_registered_as_what_it_is(self, case: Case, runs: Runs) -> None:
        model = self._made(runs)
        assert (model.kind == "full") is (case.tuning.whole or not case.method.writes)
        assert registry.scores(model) is not case.method.writes
        assert model.parameters >= 1_900_000

    def test_the_page_of_the_run_shows_it(self, case: Case, runs: Runs) -> None:
        for language in ("en", "zh-CN"):
            shown = run_view.header(runs.studio, runs.whole, language)
            assert case.method.name.upper() in shown and runs.spec.dataset in shown
            assert "ts-progress" in run_view.progress(runs.studio, runs.whole, language)
            assert runs.whole.name in run_list.jobs_page(runs.studio, language, "all", None)
            lines = training.outlined(runs.studio, runs.whole).lines
            drawn = json.loads(live_chart.payload(case.method.charts, lines, language, reset=True))
            assert all(chart["title"] and chart["help"] for chart in drawn["charts"])
            assert drawn["points"][case.method.headline[0]]

    def test_the_model_answers_or_scores(self, case: Case, runs: Runs) -> None:
        resolved = registry.resolve(runs.studio, self._made(runs).id, scoring=not case.method.writes)
        if case.method.writes:
            side = Side(resolved, [{"role": "user", "content": "say a"}])
            told = list(answer(Models("cpu"), [side], Sampling(temperature=0, seed=0, max_tokens=8)))
            assert not any("error" in event for event in told) and any(event.get("text") for event in told)
        else:
            scorer, tokenizer = loaded(resolved)
            score = scorer(torch.tensor([tokenizer("say a")["input_ids"]])).logits
            assert score.shape == (1, 1) and torch.isfinite(score).all()

    def test_labelling_offers_it(self, case: Case, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
        """Votes are made into what it learns from: by the function, on the page, in both languages."""
        learns = {*SHAPE_OF.values()} & set(case.method.shapes)
        assert (case.method.name in rounds.exports_by_method()) is bool(learns)
        if not learns:
            return
        name, export = case.method.name, rounds.exports_by_method()[case.method.name]
        assert case.method in rounds.learners(export) and SHAPE_OF[export] in learns
        offered = choices_of(monkeypatch, rounds_section, "rounds-method")
        shapes = choices_of(monkeypatch, results_section, "label-shape")
        for language in texts.LANGUAGES:
            title = texts.text(case.method.title_key, language)
            said = translated(offered[name], language)
            assert said == f"{title} · {texts.text(f'labeling.shape_{export}', language)}"
            assert title in translated(shapes[export], language)
        votes = f"votes-for-{case}-{len(case.further)}"
        base = registry.get(runs.studio, "tiny-chat")
        if export == SCORE:
            rated(runs.studio, votes, base, 8)
        else:
            project = compared(runs.studio, votes, [pair(f"q{n}", base, base) for n in range(8)])
            judged_at_once(runs.studio, project, lambda item: "a")
        asked = SimpleNamespace(cookies={}, headers={}, query_params={"project": votes})
        address = rounds_section.Rounds(runs.studio, {}).train(asked, name)
        wish = dict(parse_qsl(urlparse(address).query))
        spec = training.spec_for(runs.studio, wish)
        assert (spec.method, spec.dataset) == (name, f"{votes}@1")

    @staticmethod
    def _made(runs: Runs) -> Model:
        model = registry.result_of(runs.studio, runs.whole.id)
        assert model is not None
        return model
