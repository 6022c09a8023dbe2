"""The form that makes a project: what is asked, who answers, and how people judge it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from app.access import STAFF, current_user, only
from app.i18n import language_of, say, t
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading
from app.parts.labeling import for_learners, prompt_fields, who
from app.parts.labeling.making_kinds import FIELDS, KINDS, REWARD_FIELDS
from app.parts.options_form import component_of, element_id
from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.generation.sampling import setting
from studio_core.labeling import imports, making, projects
from studio_core.runs.engine_process import ensure_engine

THERE = "dataset"
"""The kind of project whose answers are there already."""
_ANSWERED = {Shape.PREFERENCE: "pairs", Shape.PROMPT_COMPLETION: "rate", Shape.UNPAIRED_PREFERENCE: "rate"}
"""Shapes of dataset that hold answers to judge, and how they are judged."""
FIRST_MODEL = "tiny-chat"


def build(studio: Studio) -> None:
    """Shown to trainers and administrators where the address names no project."""
    with gr.Column(visible=False, elem_id="label-create", elem_classes="ts-card") as create:
        heading("labeling.new")
        kinds = [*KINDS, THERE]
        kind = gr.Radio(
            [(t(f"labeling.making_kind_{name}"), name) for name in kinds],
            value=kinds[0],
            label=t("labeling.making_kind"),
            elem_id="label-kind",
        )
        with gr.Row(elem_classes="ts-option-row"):
            asked = _fields()
        fields = prompt_fields.draw("label")
        there = gr.Dropdown(
            [],
            label=t("labeling.source"),
            info=t("labeling.source_help"),
            visible=False,
            elem_id="label-source",
        )
        with gr.Row(elem_classes="ts-option-row"):
            name = gr.Textbox(
                label=t("labeling.name"),
                placeholder=t("labeling.making_name_help"),
                max_lines=1,
                elem_id="label-name",
            )
            votes = _number("votes", 1, 1, 20, "labeling.votes")
            strength = gr.Checkbox(
                label=t("labeling.strength"), info=t("labeling.strength_help"), elem_id="label-strength"
            )
        length = setting("max_tokens")
        with gr.Accordion(t("train.advanced"), open=False, elem_id="label-advanced"):
            with gr.Row(elem_classes="ts-option-row"):
                max_tokens = gr.Number(
                    256,
                    label=t(length.title_key),
                    info=t(length.help_key),
                    precision=0,
                    minimum=length.minimum,
                    maximum=length.maximum,
                    elem_id="label-max-tokens",
                )
                held_out = _number("held_out", 10, 0, 50)
                blind = gr.Checkbox(
                    True,
                    label=t("labeling.making_blind"),
                    info=t("labeling.making_blind_help"),
                    elem_id="label-blind",
                )
            guide = gr.Textbox(
                label=t("labeling.guidelines"),
                info=t("labeling.guidelines_help"),
                lines=3,
                elem_id="label-guidelines",
            )
        start = gr.Button(t("labeling.making_start"), variant="primary", elem_id="label-start")
    address = gr.Textbox(visible=False)

    asking = [votes, strength, max_tokens, held_out, blind, guide]
    sources = list(asked.values())
    parts = {"create": create, "dataset": fields.dataset, "group": fields.group, "there": there, **asked}
    form = MakingForm(studio, parts)
    filling = ("create", "dataset", "there", "model", "other_model", "models")
    on_open(form.open_form, [parts[name] for name in filling])
    gr.on(
        [kind.change, asked["reward"].input],
        safely(form.kind_chosen),
        [kind, asked["reward"]],
        [fields.group, there, *sources],
        **LIGHT,
    )
    start.click(
        safely(form.created),
        [kind, *fields.components, there, name, *asking, *sources],
        [address],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=GO, inputs=[address])


def _number(name: str, value: float, least: float, most: float, label: str = "", **more: Any) -> gr.Number:
    return gr.Number(
        value,
        label=t(label or f"labeling.making_{name}"),
        info=t(f"{label}_help" if label else f"labeling.making_{name}_help"),
        precision=0,
        minimum=least,
        maximum=most,
        elem_id=f"label-{name.replace('_', '-')}",
        **more,
    )


def _fields() -> dict[str, Component]:
    """One component for each of ``FIELDS``; the kind says which are shown."""
    shown = next(iter(KINDS.values())).fields

    def common(name: str) -> dict[str, Any]:
        id = f"label-{name.replace('_', '-')}"
        return {"label": t(f"labeling.making_{name}"), "visible": name in shown, "elem_id": id}

    def temperature(name: str, value: float) -> gr.Number:
        help = t("labeling.making_temperature_help")
        return gr.Number(value, minimum=0, maximum=2, step=0.1, info=help, **common(name))

    components: dict[str, Component] = {
        "model": gr.Dropdown([], **common("model")),
        "other_model": gr.Dropdown([], **common("other_model")),
        "models": gr.Dropdown(
            [], multiselect=True, max_choices=8, info=t("labeling.making_models_help"), **common("models")
        ),
        "temperature": temperature("temperature", 0.5),
        "other_temperature": temperature("other_temperature", 1.2),
        "system": gr.Textbox(lines=2, **common("system")),
        "other_system": gr.Textbox(lines=2, **common("other_system")),
        "best_of": gr.Number(8, minimum=2, maximum=64, precision=0, **common("best_of")),
        "reward": gr.Dropdown(
            [(t(reward.title_key), name) for name, reward in rewards.REWARDS.items()],
            value="shorter",
            **common("reward"),
        ),
        **{
            field.name: component_of(field, element_id("label", field), visible=False)
            for field in REWARD_FIELDS
        },
        "scale": gr.Radio(
            [(for_learners("labeling.making_scale_2", "unpaired"), 2), (t("labeling.making_scale_10"), 10)],
            value=2,
            **common("scale"),
        ),
    }
    return {name: components[name] for name in FIELDS}


class MakingForm(Handlers):
    """What the form does when the page is opened, on another kind of project, and on its button."""

    @only(STAFF)
    def kind_chosen(self, kind: str, reward: str) -> Updates:
        """Show what this kind of project asks for, and of the rewards' options those of the chosen one."""
        others = {field.name for field in REWARD_FIELDS if reward not in field.owners}
        fields = set(KINDS[kind].fields if kind in KINDS else ("scale",)) - others
        is_there = kind == THERE
        return self._updates(
            group=gr.Group(visible=not is_there),
            there=gr.Dropdown(visible=is_there),
            **{name: gr.update(visible=name in fields) for name in FIELDS},
        )

    def open_form(self, request: gr.Request) -> Updates:
        if request.query_params.get("project") or current_user(request).role not in STAFF:
            return self._updates(create=gr.Column(visible=False))
        answered = [
            f"{dataset.name}@{dataset.version}"
            for dataset in versions.offered(self.studio)
            if dataset.shape in _ANSWERED
        ]
        able = who.choices(self.studio, language_of(request))
        names = [value for _, value in able]
        model = next((name for name in (FIRST_MODEL, *names) if name in names), None)
        other = next((name for name in reversed(names) if name != model), model)
        return self._updates(
            create=gr.Column(visible=True),
            dataset=prompt_fields.offered(self.studio, str(request.query_params.get("dataset", ""))),
            there=gr.Dropdown(choices=answered, value=next(iter(answered), None)),
            model=gr.Dropdown(choices=able, value=model),
            other_model=gr.Dropdown(choices=able, value=other),
            models=gr.Dropdown(choices=able, value=[model] if model else []),
        )

    @only(STAFF)
    def created(
        self,
        request: gr.Request,
        kind: str,
        origin: str,
        dataset: str | None,
        pasted: str,
        limit: Any,
        there: str | None,
        name: str,
        votes: Any,
        strength: bool,
        max_tokens: Any,
        held_out: Any,
        blind: bool,
        guide: str,
        *fields: Any,
    ) -> str:
        """A new project; the page then goes to it."""
        values = {**dict(zip(FIELDS, fields, strict=True)), "max_tokens": int(max_tokens or 256)}
        settings = {
            "votes": int(votes or 1),
            "strength": bool(strength),
            "blind": bool(blind),
            "held_out": float(held_out or 0) / 100,
            "scale": int(values["scale"] or 10),
        }
        name, guide = str(name or "").strip(), str(guide or "")
        if kind == THERE:
            project = self._of_answers(there, name, settings, guide)
        else:
            chosen = KINDS.get(kind)
            if chosen is None:
                raise BadInput("labeling.unknown_mode", mode=str(kind)[:40], known=", ".join(KINDS))
            sources = chosen.sources(values)
            prompts, source = prompt_fields.prompts(self.studio, origin, dataset, pasted, limit)
            project, _ = making.create(
                self.studio,
                name
                or projects.free_name(
                    self.studio, source.name if source else say(f"labeling.making_name_{origin}", "en")
                ),
                prompts,
                sources,
                mode=chosen.mode,
                settings={**settings, "correct": chosen.correct},
                guidelines=guide,
                dataset_id=source.id if source else None,
            )
            ensure_engine(self.studio)
        return f"/label?project={project.id}"

    def _of_answers(
        self, source: str | None, name: str, settings: dict[str, Any], guide: str
    ) -> LabelProject:
        """A project of the answers that a dataset holds."""
        if not source:
            raise BadInput("labeling.no_source")
        dataset = versions.get(self.studio, source)
        mode = _ANSWERED.get(Shape(dataset.shape))
        if mode is None:
            raise BadInput("labeling.wrong_dataset", dataset=dataset.name, shape=dataset.shape, mode="pairs")
        named = name or projects.free_name(self.studio, dataset.name)
        project = projects.create(
            self.studio, named, mode=mode, settings=settings, guidelines=guide, dataset_id=dataset.id
        )
        imports.from_dataset(self.studio, project.id, dataset)
        return project
