"""A training as text: YAML file, command line, or a document from a form; and back."""

from __future__ import annotations

import shlex
from typing import Any

import yaml
from pydantic import ValidationError

from studio_core.base import plain_yaml
from studio_core.base.errors import BadInput
from studio_core.base.validation import complaint
from studio_core.rewards import choices
from studio_core.runs.spec import TrainSpec


def spec_from(values: dict[str, Any]) -> TrainSpec:
    """The spec that a form, a file or a command line gives; raises ``BadInput`` naming the first fault."""
    try:
        return TrainSpec.model_validate(values)
    except ValidationError as error:
        first = complaint(error)
        field = first.name or "?"
        if first.type == "missing":
            raise BadInput("train.field_missing", field=field) from error
        if first.type == "extra_forbidden":
            names = ", ".join(TrainSpec.model_fields)
            raise BadInput("train.field_unknown", field=field, known=names) from error
        raise BadInput("train.field_invalid", field=field, value=first.value, reason=first.reason) from error


def to_yaml(spec: TrainSpec) -> str:
    """The spec as a YAML file that ``train --spec`` takes: what is as by default is left out."""
    return yaml.safe_dump(_values_of(spec), sort_keys=False, allow_unicode=True)


def values_from_yaml(content: str) -> dict[str, Any]:
    """What a YAML file says, not yet checked for completeness."""
    try:
        values = plain_yaml.load(content)
    except ValueError as error:
        raise BadInput("train.bad_yaml", reason=error) from error
    if not isinstance(values, dict):
        raise BadInput("train.bad_yaml", reason="no mapping of names to values")
    return {str(name): value for name, value in values.items()}


def from_yaml(content: str) -> TrainSpec:
    """The spec that the text of a YAML file holds."""
    return spec_from(values_from_yaml(content))


def to_command(spec: TrainSpec) -> str:
    """The call of the command line that asks for the same training."""
    words = ["python", "-m", "app", "train"]
    for name, value in _values_of(spec).items():
        if name == "options":
            for option, setting in value.items():
                words += ["--set", f"{option}={_yaml_value(setting)}"]
        elif name in ("models", "data"):
            flag = "--role" if name == "models" else "--data"
            for role, named in value.items():
                words += [flag, f"{role}={named}"]
        elif name == "prompts":
            for prompt in value:
                words += ["--prompt", prompt]
        elif name == "rewards":
            for choice in spec.rewards:
                words += ["--reward", choices.line(choice)]
        elif isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _values_of(spec: TrainSpec) -> dict[str, Any]:
    always = {"method", "tuning", "model", "dataset", "preset"}
    values = spec.model_dump(exclude={"kind"})
    defaults = {name: field.get_default(call_default_factory=True) for name, field in _fields().items()}
    return {name: value for name, value in values.items() if name in always or value != defaults[name]}


def _fields() -> dict[str, Any]:
    return dict(TrainSpec.model_fields)


def _yaml_value(value: Any) -> str:
    """One line of YAML that reads back as the same value."""
    line = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return line.removesuffix("...\n").strip()
