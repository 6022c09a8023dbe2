"""A sweep from the Train form: the fold beside Train, for the training that the form describes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from app.i18n import language_of, t
from app.parts import sweep_page
from app.parts.events import ASKED, GO, LIGHT, typed
from app.parts.handlers import Handlers, Updates, safely
from studio_core.base.studio import Studio
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import TrainSpec
from studio_core.training import sweeps


def build() -> dict[str, Any]:
    """The fold; closed, since most trainings are one run."""
    with gr.Accordion(t("sweeps.fold"), open=False, elem_id="train-sweep"):
        return sweep_page.form()


def listen(
    studio: Studio,
    parts: dict[str, Any],
    spec: Callable[[Sequence[Any]], TrainSpec],
    inputs: list[Any],
    key: gr.State,
    wish: str,
) -> None:
    """Its events: ``inputs`` are those of the form, of which ``spec`` makes the training; ``key`` changes with them."""
    page, to = TrainSweep(studio, parts, spec), gr.Textbox(visible=False)
    own = [parts[name] for name in sweep_page.FORM]
    told = [parts[name] for name in sweep_page.TOLD]
    # The form beside it is part of the plan: its key is new with each change of it.
    gr.on(
        [*typed(own), key.change],
        page.planned,
        inputs=[*own, *inputs],
        outputs=told,
        trigger_mode="always_last",
        js=_shifted(wish),
        **LIGHT,
    )
    parts["start"].click(
        page.started,
        inputs=[*own, *inputs, key],
        outputs=[to],
        trigger_mode="once",
        js=_shifted(wish),
        **ASKED,
    ).then(None, js=GO, inputs=[to])


def _shifted(wish: str) -> str:
    """The script that puts what is typed into the form's options, with the fields of the fold before those of it."""
    count = len(sweep_page.FORM)
    return f"(...given) => [...given.slice(0, {count}), ...({wish})(...given.slice({count}))]"


class TrainSweep(Handlers):
    """What the fold says while it is filled in, and its button."""

    def __init__(
        self, studio: Studio, parts: dict[str, Any], spec: Callable[[Sequence[Any]], TrainSpec]
    ) -> None:
        super().__init__(studio, parts)
        self._spec = spec

    @safely
    def planned(
        self,
        request: gr.Request,
        values: str,
        pairing: str,
        trials: float | None,
        seeds: float | None,
        *given: Any,
    ) -> Updates:
        """Runs, time and disk; a fault is said where the plan stands, while it is typed. Nothing without values."""
        told = sweep_page.planned(
            self.studio, lambda: self._spec(given), values, pairing, language_of(request), trials, seeds
        )
        return self._updates(**{**told, **({} if values.strip() else {"plan": ""})})

    @safely
    def started(
        self,
        request: gr.Request,
        values: str,
        pairing: str,
        trials: float | None,
        seeds: float | None,
        *given: Any,
    ) -> str:
        """All runs of the sweep, or none. The same form sent twice is one sweep; the page then goes to it."""
        *form, key = given
        wished = f"{key or request.session_hash}|{values}|{pairing}|{trials}|{seeds}"
        name = sweeps.start(
            self.studio,
            sweep_page.asked(self._spec(form), values, pairing, trials, seeds),
            hashlib.sha256(wished.encode()).hexdigest()[:16],
        )
        ensure_engine(self.studio)
        return f"/runs?sweep={name}"
