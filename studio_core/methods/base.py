"""What a training method is: the data it takes, its options, its presets, what to plot.

Texts of a method are ``methods.<method>`` and ``....help``; those of an option are ``methods.<method>.<option>``, or
``options.<option>`` where it means what it means everywhere.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.errors import BadInput
from studio_core.options import OptionField, checked, fields
from studio_core.spec import Tuning

PRESETS = ("quick", "balanced", "thorough")


@dataclass(frozen=True)
class Chart:
    """Metrics that belong on one set of axes. Its title is ``methods.chart.<name>``."""

    name: str
    metrics: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    """What metrics are called that mean something else here than elsewhere."""

    @property
    def title_key(self) -> str:
        return f"methods.chart.{self.name}"

    def label_key(self, metric: str) -> str:
        return f"methods.metric.{self.names.get(metric, metric)}"


@dataclass(frozen=True)
class Method:
    name: str
    title_key: str
    shapes: tuple[Shape, ...]
    tunings: tuple[Tuning, ...]
    Options: type[BaseModel]
    presets: Callable[[str, Tuning, int], dict[str, Any]]
    """``(preset, tuning, parameters of the base model)`` -> options that differ from the defaults."""
    charts: tuple[Chart, ...]
    sequences: int = 1
    """Sequences that learn, of each row."""
    reference: bool = False
    """Whether the model as it was is kept beside the one that learns."""
    forward_passes: int = 0
    """Passes without gradient for each that learns: of the reference, or to measure."""
    writes: bool = True
    """Whether the model that it makes writes answers; else it scores them."""

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    @property
    def areas(self) -> tuple[str, ...]:
        """Where the texts of its options are."""
        return (f"methods.{self.name}", "options")

    @property
    def fields(self) -> list[OptionField]:
        """Its options in the order in which a form shows them."""
        return fields(self.Options, self.areas)

    def nearest(self, tuning: str) -> Tuning:
        """That way of tuning, or the one offered that is most like it: LoRA in place of QLoRA."""
        return next((known for known in self.tunings if known == tuning), self.tunings[-1])


def validated(
    method: Method, preset: str, tuning: str, parameters: int, changes: Mapping[str, Any] | None = None
) -> BaseModel:
    """The options of a run: the preset for this tuning and size of model, with the user's changes.

    ``parameters`` is the size of the base model. Raises ``BadInput`` that quotes the option, its
    value and its range.
    """
    if preset not in PRESETS:
        raise BadInput("methods.unknown_preset", preset=preset, known=", ".join(PRESETS))
    known_tuning = next((known for known in method.tunings if known == tuning), None)
    if known_tuning is None:
        raise BadInput(
            "methods.unknown_tuning", tuning=tuning, method=method.name, known=", ".join(method.tunings)
        )
    given = {**method.presets(preset, known_tuning, parameters), **(changes or {})}
    return checked(method.Options, given, method.name, method.areas)


def four_bit_problem() -> BadInput | None:
    """Why QLoRA cannot work on this machine, or None. Asked before the run and again by the worker."""
    if importlib.util.find_spec("bitsandbytes") is None:
        return BadInput("methods.no_four_bit")
    return None
