"""Options as inputs: drawn from their declaration, read from what a page sends, and never more than text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from app.parts.option_inputs import drawn, shown, values
from app.parts.options_state import fields_of
from studio_core import texts
from studio_core.methods import METHODS
from studio_core.methods.base import validated
from studio_core.options import fields, option
from studio_core.tunings import TUNINGS
from tests.unit.app.test_html import EVIL

methods = pytest.mark.parametrize("method", sorted(METHODS))


@methods
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_option_has_an_input_with_its_range(method: str, language: str) -> None:
    known = fields_of(method, "lora")
    form = drawn(known, {}, {}, language, "opt")
    assert re.findall(r' name="([\w.]+)"', form) == [
        field.name for advanced in (False, True) for field in known if field.advanced is advanced
    ]
    for field in known:
        [help] = re.findall(rf'id="opt-{field.name.replace(".", "-")}-help">(.*?)</div>', form)
        if field.minimum is not None and field.maximum is not None:
            assert help.endswith("]")


@methods
def test_values_that_go_in_come_out(method: str) -> None:
    known = [*METHODS[method].fields, *TUNINGS["lora"].fields]
    options = validated(METHODS[method], "balanced", "lora", 2_000_000).model_dump()
    held = {
        field.name: options[field.name] if field.kind == "bool" else shown(field, options[field.name])
        for field in known
    }
    # One that is left empty is absent.
    assert values(known, held) == {name: value for name, value in options.items() if value != ""}
    assert (
        validated(METHODS[method], "balanced", "lora", 2_000_000, values(known, held)).model_dump() == options
    )


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_chosen_one_of_a_list_is_explained_below_it(language: str) -> None:
    [loss] = [field for field in METHODS["dpo"].fields if field.name == "loss"]
    assert loss.choices_with_help.keys() == set(loss.choices)  # Each says what it is for and does not do.
    form = drawn([loss], {"loss": "apo_down"}, {}, language, "opt")
    assert 'aria-describedby="opt-loss-help opt-loss-choice"' in form
    shown_lines = re.findall(r'<span data-choice="(\w+)">(.*?)</span>', form)
    assert shown_lines == [("apo_down", texts.text("methods.dpo.loss.apo_down.help", language))]
    assert len(re.findall(r'<span data-choice="\w+" hidden>', form)) == len(loss.choices) - 1


@pytest.mark.parametrize(
    ("number", "text"),
    [(2e-5, "0.00002"), (1e-8, "1e-08"), (0.0, "0"), (3.0, "3"), (1e15, "1000000000000000")],
)
def test_numbers_are_written_as_people_read_them_and_read_again(number: float, text: str) -> None:
    [rate] = [field for field in METHODS["sft"].fields if field.name == "learning_rate"]
    assert shown(rate, number) == text
    assert values([rate], {"learning_rate": text}) == {"learning_rate": number}


def test_what_is_no_number_stays_as_it_was_typed_and_what_is_empty_is_absent() -> None:
    known = fields_of("sft", "full")
    held = {"learning_rate": "fast", "epochs": " ", "batch_size": "8", "max_length": "1" * 5000}
    assert values(known, held) == {"learning_rate": "fast", "batch_size": 8, "max_length": "1" * 5000}


class Everything(BaseModel):
    """One option of each kind that the methods do not have."""

    instruction: str = option("be brief", kind="prompt")
    model: str = option("", choices_of="models")
    kinds: list[Literal["a", "b"]] = option([])
    languages: list[str] = option([], choices_of="languages")
    weights: list[float] = option([])
    changes: list[dict[str, Any]] = option([])


EVERYTHING = [replace(field, title_key="options.epochs") for field in fields(Everything, ["options"])]


def test_every_kind_of_option_has_an_input_and_comes_back() -> None:
    given = {
        "instruction": EVIL,
        "model": EVIL,
        "kinds": ["b"],
        "languages": ["en", EVIL],
        "weights": [0.5, 2.0],
        "changes": [{"row": 1, "record": None}],
    }
    form = drawn(
        EVERYTHING, given, {}, "en", "opt", {"models": [(EVIL, "tiny")], "languages": [("English", "en")]}
    )
    assert "<img" not in form and "<script" not in form
    assert form.count(" checked") == 3, (
        "one of the kinds, a language that is offered and one that is not any more"
    )
    assert '<option value="tiny">' in form
    held = {**given, "weights": "0.5, 2", "changes": '[{"row": 1, "record": null}]'}
    assert values(EVERYTHING, held) == given
    assert values(EVERYTHING, {"weights": "two", "changes": "{"}) == {"weights": "two", "changes": "{"}
