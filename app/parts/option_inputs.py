"""The form of the options of one method with one tuning, as HTML: what is not chosen costs the page nothing.

Drawn from the options' declaration; nothing here knows an option by name. ``static/js/train.js`` reads what the
inputs hold, and ``values`` makes of that what the options take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from app.parts.options_form import MAX_WRITTEN, bounds
from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.options import OptionField, parsed, written

Offers = Mapping[str, Sequence[tuple[str, str]]]
"""By ``OptionField.choices_of``: the ``(label, value)`` that there are to choose from now."""

_LEAST_DECIMAL = 1e-6
"""Below it a number has more zeros than anybody counts, and is written ``1e-08``."""


def drawn(
    fields: Sequence[OptionField],
    values: Mapping[str, Any],
    begin: Mapping[str, Any],
    language: str,
    prefix: str,
    offers: Offers | None = None,
) -> Markup:
    """Inputs that hold ``values``; everyday options first, the others folded away.

    ``begin`` is what an option is when its input is left empty. Ids are ``<prefix>-<option>``.
    """

    def part(advanced: bool) -> Markup:
        inputs = labelled(
            [field for field in fields if field.advanced is advanced], values, begin, language, prefix, offers
        )
        return html('<div class="ts-inputs">{}</div>', join(inputs.values())) if inputs else Markup()

    everyday, rest = part(advanced=False), part(advanced=True)
    folded = html(
        '<details class="ts-fold" id="{}-advanced"><summary>{}</summary>{}</details>',
        prefix,
        say("train.advanced", language),
        rest,
    )
    return everyday + folded if rest else everyday


def labelled(
    fields: Sequence[OptionField],
    values: Mapping[str, Any],
    begin: Mapping[str, Any],
    language: str,
    prefix: str,
    offers: Offers | None = None,
) -> dict[str, Markup]:
    """Each input with its name and its help, by option."""
    return {
        field.name: _labelled(
            field, values.get(field.name), begin.get(field.name), language, prefix, offers or {}
        )
        for field in fields
    }


def values(fields: Sequence[OptionField], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the inputs hold, by option; one that was left empty is absent.

    What cannot be read stays as it was typed, so that the check of the options can quote it.
    """
    values_ = {field.name: _value(field, inputs[field.name]) for field in fields if field.name in inputs}
    return {name: value for name, value in values_.items() if value not in (None, "")}


def _value(field: OptionField, value: Any) -> Any:
    """Inputs of texts and numbers send a text, check boxes what they are, choices a list. Anything may come."""
    if not isinstance(value, str):
        return value
    text = value[:MAX_WRITTEN]
    if field.kind in ("int", "float"):
        return _number(text.strip())
    if field.kind in ("numbers", "json") and text.strip():
        try:
            return parsed(field, text)
        except BadInput:
            return text
    return text


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:  # Also of more digits than Python reads.
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text  # JSON, which the page keeps it as, has no infinity.


def _labelled(
    field: OptionField, value: Any, begin: Any, language: str, prefix: str, offers: Offers
) -> Markup:
    """An input with its name above it and its help below it, in the classes that Gradio's fields have.

    The help stands before the input all the same: the Tab key comes to its button first.
    """
    input_id = f"{prefix}-{field.name.replace('.', '-')}"
    explained = html(" {}-choice", input_id) if field.choices_with_help else ""
    named = html(
        ' name="{0}" aria-labelledby="{1}-title" aria-describedby="{1}-help{2}"',
        field.name,
        input_id,
        explained,
    )
    title = html('<span class="label-text" id="{}-title">{}</span>', input_id, say(field.title_key, language))
    help = html('<div class="info-text" id="{}-help">{}</div>', input_id, help_of(field, language))
    if field.kind == "bool":
        box = html('<input type="checkbox"{}{}>', named, Markup(" checked") if value else "")
        return html(
            '<div class="block ts-input ts-input-bool" id="{}"><label><span>{}{}</span>{}</label></div>',
            input_id,
            box,
            title,
            help,
        )
    offered = offers.get(field.choices_of, ())
    choices = [(_choice(field, choice, language), choice) for choice in field.choices] or offered
    if field.kind == "choices":
        boxes = _boxes(field, choices, value or [])
        return html(
            '<fieldset class="block ts-input" id="{0}" aria-labelledby="{0}-title"'
            ' aria-describedby="{0}-help">{1}{2}{3}</fieldset>',
            input_id, title, help, boxes,
        )  # fmt: skip
    inner = _input(field, value, begin, choices, named, input_id, language)
    wide = " ts-input-wide" if field.kind in ("prompt", "json") else ""
    return html(
        '<div class="block ts-input{}" id="{}"><label>{}{}{}</label></div>',
        wide,
        input_id,
        title,
        help,
        inner,
    )


def _input(
    field: OptionField,
    value: Any,
    begin: Any,
    choices: Sequence[tuple[str, str]],
    named: Markup,
    input_id: str,
    language: str,
) -> Markup:
    if field.kind == "choice":
        select = html('<span class="ts-select"><select{}>{}</select></span>', named, _entries(choices, value))
        return select + _explained(field, value, language, input_id)
    hint = html(' placeholder="{}"', shown(field, begin))
    if field.kind in ("prompt", "json"):
        return html('<textarea rows="4"{}{}>{}</textarea>', named, hint, shown(field, value))
    # Not ``type="number"``: of what is no number such an input tells nothing, so that nobody could be told why.
    keys = {"int": "numeric", "float": "decimal"}.get(field.kind, "text")
    # What is offered may be out of date, and more can be meant; so it is no closed list.
    offered = html(' list="{}-offers"', input_id) if choices else Markup()
    entries = (
        html('<datalist id="{}-offers">{}</datalist>', input_id, _entries(choices, None)) if choices else ""
    )
    return html(
        '<input type="text" inputmode="{}" autocomplete="off" value="{}"{}{}{}>{}',
        keys,
        shown(field, value),
        named,
        hint,
        offered,
        entries,
    )


def _entries(choices: Sequence[tuple[str, str]], value: Any) -> Markup:
    return join(
        html(
            '<option value="{}"{}>{}</option>', choice, Markup(" selected") if choice == value else "", label
        )
        for label, choice in choices
    )


def _explained(field: OptionField, value: Any, language: str, input_id: str) -> Markup:
    """Below a list: what the chosen one is for; ``static/js/train.js`` shows another line with another choice."""
    lines = [
        html(
            '<span data-choice="{}"{}>{}</span>',
            choice,
            "" if choice == value else Markup(" hidden"),
            say(key, language),
        )
        for choice, key in field.choices_with_help.items()
    ]
    return (
        html('<span class="ts-choice" id="{}-choice">{}</span>', input_id, join(lines)) if lines else Markup()
    )


def _boxes(field: OptionField, choices: Sequence[tuple[str, str]], chosen: Sequence[str]) -> Markup:
    """A check box for each choice, and for what is chosen without being offered any more."""
    offered = [choice for _, choice in choices]
    entries = [*choices, *((choice, choice) for choice in chosen if choice not in offered)]
    boxes = join(
        html(
            '<label><input type="checkbox" name="{}" value="{}"{}> {}</label>',
            field.name,
            choice,
            Markup(" checked") if choice in chosen else "",
            label,
        )
        for label, choice in entries
    )
    return html('<div class="ts-input-boxes" data-choices="{}">{}</div>', field.name, boxes)


def shown(field: OptionField, value: Any) -> str:
    """A value as its input shows it, from which ``values`` reads the same again."""
    if value is None:
        return ""
    if field.kind in ("numbers", "json") and not isinstance(value, str):
        return written(field, value)
    if isinstance(value, float):
        decimal = abs(value) >= _LEAST_DECIMAL or value == 0
        return format(Decimal(repr(value)).normalize(), "f") if decimal else repr(value)
    return str(value)


def _choice(field: OptionField, choice: str, language: str) -> str:
    """The name of a choice: its text, if it has one."""
    key = field.choice_key(choice)
    return say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else choice


def help_of(field: OptionField, language: str) -> str:
    """The help, and the range with its unit."""
    limits = bounds(field)
    if not limits:
        return say(field.help_key, language)
    unit = f" {say(f'options.unit.{field.unit}', language)}" if field.unit else ""
    return f"{say(field.help_key, language)} [{limits}{unit}]"
