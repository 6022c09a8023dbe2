"""Open models by purpose, with the memory that they need here: ``/models?open=1&purpose=code&fits=lora``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts.html import count, empty, html, join, number, size, table
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.models import checking
from studio_core.models.catalogue import PURPOSES, OpenModel, for_purpose
from studio_core.training import room
from studio_core.training.room import Need

PICK = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-pick]');
	if (button) trigger('pick', { name: button.dataset.pick });
});
"""
"""Script of a place whose buttons name a model that is to be looked at."""

_KINDS = {"fits": "good", "tight": "warn", "no": "bad"}


def asked(query: Mapping[str, str]) -> bool:
    """Whether an address is that of the list."""
    return bool(query.get("open"))


def tabs(on_list: bool, language: str) -> Markup:
    """The ways between the models of the studio and the open ones."""
    links = join(
        html(
            '<a href="{}"{}>{}</a>',
            address,
            Markup(' aria-current="page"') if here else Markup(),
            say(f"catalogue.tab_{name}", language),
        )
        for name, address, here in (
            ("mine", "/models", not on_list),
            ("open", "/models?open=1", on_list),
        )
    )
    title = say("shell.models_title", language)
    return html('<nav class="ts-row ts-kinds" aria-label="{}">{}</nav>', title, links)


def listed(studio: Studio, query: Mapping[str, str], language: str) -> Markup:
    """The form that filters, and the models that are left."""
    purpose, fits = str(query.get("purpose", "")), str(query.get("fits", ""))
    for name, value, known in (("purpose", purpose, PURPOSES), ("fits", fits, room.WAYS)):
        if value and value not in known:
            raise BadInput("catalogue.unknown", option=name, value=value[:40], known=", ".join(known))
    machine = room.here(studio)
    fitting = room.fitting(machine, for_purpose(purpose), fits)
    words = say(
        "catalogue.shown",
        language,
        n=len(fitting),
        device=say(f"catalogue.device_{machine.device}", language),
        total=size(machine.total),
        length=number(room.LENGTH),
    )
    return html(
        '<div class="ts-open-models"><p class="ts-muted">{}</p>{}<p class="ts-muted">{}</p>{}</div>',
        say("catalogue.lead", language),
        _form(purpose, fits, language),
        words,
        _table(fitting, checking.sources(studio), language)
        if fitting
        else empty(say("catalogue.none", language)),
    )


def _form(purpose: str, fits: str, language: str) -> Markup:
    return html(
        '<form class="ts-find" method="get" action="/models"><input type="hidden" name="open" value="1">{}{}'
        '<button class="ts-button">{}</button></form>',
        _select("purpose", "any_purpose", PURPOSES, purpose, language),
        _select("fits", "any_fit", room.WAYS, fits, language),
        say("catalogue.show", language),
    )


def _select(name: str, any_: str, values: Sequence[str], chosen: str, language: str) -> Markup:
    options = join(
        html(
            '<option value="{}"{}>{}</option>',
            value,
            Markup(" selected") if value == chosen else Markup(),
            say(f"catalogue.{name}_{value}" if value else f"catalogue.{any_}", language),
        )
        for value in ("", *values)
    )
    title = say(f"catalogue.{name}", language)
    return html('<select name="{}" aria-label="{}">{}</select>', name, title, options)


def _table(
    fitting: Sequence[tuple[OpenModel, Sequence[Need]]], here: Mapping[str, str], language: str
) -> Markup:
    headers = [
        say("shell.models_model", language),
        say("shell.models_parameters", language),
        say("catalogue.context", language),
        *(say(f"catalogue.way_{way}", language) for way in room.WAYS),
        say("shell.models_next", language),
    ]
    rows = [
        [
            _named(model, language),
            count(model.parameters),
            number(model.context),
            *(fit(need, language) for need in needs),
            way_on(model.name, here, language),
        ]
        for model, needs in fitting
    ]
    return table(headers, rows)


def _named(model: OpenModel, language: str) -> Markup:
    facts = [*(say(f"catalogue.purpose_{purpose}", language) for purpose in model.purposes), model.licence]
    holds = {"gated": model.gated, "own_code": model.own_code, "no_template": not model.template}
    badges = join(
        html(' <span class="ts-badge ts-badge-warn">{}</span>', say(f"catalogue.{name}", language))
        for name, so in holds.items()
        if so
    )
    owner, _, name = model.name.partition("/")
    return html(
        '<div class="ts-open-name"><span class="ts-muted">{}/</span><wbr><strong>{}</strong>{}'
        '<span class="ts-muted">{}</span></div>',
        owner,
        name,
        badges,
        " · ".join(facts),
    )


def fit(need: Need, language: str) -> Markup:
    """Whether there is room for it, and how much it takes."""
    help_ = say("catalogue.fit_tight_help", language) if need.fit == "tight" else ""
    twice = say("catalogue.checkpointing", language) if need.checkpointing else ""
    return html(
        '<span class="ts-badge ts-badge-{}" title="{}">{}</span> <span class="ts-open-memory" title="{}">{}</span>',
        _KINDS[need.fit],
        help_,
        say(f"catalogue.fit_{need.fit}", language),
        twice,
        size(need.bytes),
    )


def way_on(name: str, here: Mapping[str, str], language: str) -> Markup:
    """To the Train page with a model that is here, else to its check."""
    if known := here.get(name.lower()):
        address, train = quote(known, safe=""), say("catalogue.train", language)
        return html('<a class="ts-button" href="/train?model={}">{}</a>', address, train)
    return html(
        '<button type="button" class="ts-button" data-pick="{}" aria-label="{}: {}">{}</button>',
        name,
        say("catalogue.add", language),
        name,
        say("catalogue.add", language),
    )
