"""What a training method is: the data it takes, its options, its presets, what to plot.

Texts of a method are ``methods.<method>`` and ``....help``; those of an option are ``methods.<method>.<option>``, or
``options.<option>`` where it means what it means everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel, create_model

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.roles import Role
from studio_core.options import Part, checked
from studio_core.runs.spec import DataRole, ResolvedDataset, RoleName
from studio_core.suites import OF_TRAININGS
from studio_core.tunings import DEFAULT, TUNINGS, without_others
from studio_core.tunings.base import Tuning

PRESETS = ("quick", "balanced", "thorough")


@dataclass(frozen=True)
class Chart:
    """Metrics that belong on one set of axes. Its title is ``methods.chart.<name>``, how to read it ``....help``."""

    name: str
    metrics: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    """What metrics are called that mean something else here than elsewhere; with a dot it is a key of any area."""
    needs: str = ""
    """The option that is neither 0 nor ``none``, or the role of a further dataset, in runs that have a value for it."""

    @property
    def title_key(self) -> str:
        return f"methods.chart.{self.name}"

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    def label_key(self, metric: str) -> str:
        named = self.names.get(metric, metric)
        return named if "." in named else f"methods.metric.{named}"


SUITE = Chart(
    "suite",
    tuple(f"suite/{name}" for name in OF_TRAININGS),
    {f"suite/{name}": f"suites.{name}" for name in OF_TRAININGS},
)
"""Of any method, where early stopping looks at a suite."""


@dataclass(frozen=True)
class Method(Part):
    name: str
    shapes: tuple[Shape, ...]
    Options: type[BaseModel]
    presets: Callable[[str, Tuning, int], dict[str, Any]]
    """``(preset, tuning, parameters of the base model)`` -> options that differ from the defaults."""
    charts: tuple[Chart, ...]
    headline: tuple[str, ...]
    """Metrics that stand beside the progress of a run, the one that tells most first."""
    roles: tuple[Role, ...]
    """The models of a run; the first that learns is what it makes."""
    data: tuple[DataRole, ...] = ("held_out",)
    """Roles of further datasets that it can use."""
    needs: Callable[[Any], Collection[RoleName]] = lambda options: ()
    """Of the roles that a run can do without, those that one with these options cannot."""
    rewards: bool = False
    """Whether it learns from rewards."""
    moved_by_optimizer: bool = True
    """Whether an optimiser moves the weights; some ways of tuning look at what it does."""
    several_gpus: bool = True
    """Whether several GPUs can share a run of it."""
    against: Callable[[ResolvedDataset], list[BadInput]] = lambda dataset: []
    """What of a dataset of the right shape it cannot learn from."""
    check: Callable[[Any, Tuning], None] = lambda options, tuning: None
    """Raises ``BadInput`` of options that it cannot have with that way of tuning."""
    package: str = "jobs.training"
    """Where the script of its name is; a hyphen of the name is an underscore there."""

    @property
    def title_key(self) -> str:
        return f"methods.{self.name}"

    @property
    def areas(self) -> tuple[str, ...]:
        """Where the texts of its options are; methods that learn from rewards have some in common."""
        return (self.title_key, *(["methods.rollouts"] if self.rewards else []), "options")

    @property
    def script(self) -> str:
        """The module that carries out a run."""
        return f"{self.package}.{self.name.replace('-', '_')}"

    @property
    def result(self) -> Role:
        """The role of the model that it makes."""
        return next(role for role in self.roles if role.learns)

    def charts_of(self, options: Mapping[str, Any], data: Collection[str]) -> tuple[Chart, ...]:
        """The charts that a run with these options and roles of data has values for."""
        own = tuple(
            one
            for one in self.charts
            if not one.needs or options.get(one.needs) not in (None, 0, "none") or one.needs in data
        )
        return (*own, SUITE) if options.get("early_stopping_on") in OF_TRAININGS else own

    @property
    def named_roles(self) -> dict[RoleName, Role]:
        """The roles whose models a person names beside the one that learns; those that begin as another are not."""
        return {role.name: role for role in self.roles if role is not self.result and role.begins_as is None}

    @property
    def writes(self) -> bool:
        """Whether the model that it makes writes answers; else it scores them."""
        return self.result.output == "words"

    @property
    def compares(self) -> bool:
        """Whether it looks at what the model that learns was before the training."""
        return any(role.begins_as == self.result.name for role in self.roles)

    @property
    def tunings(self) -> dict[str, Tuning]:
        """The ways of tuning that it can be had with."""
        return {name: tuning for name, tuning in TUNINGS.items() if tuning.suits(self)}

    def nearest(self, tuning: str) -> str:
        """That way of tuning, or the one offered that is most like it: LoRA in place of QLoRA."""
        while tuning in TUNINGS and tuning not in self.tunings:
            tuning = TUNINGS[tuning].instead
        return tuning if tuning in self.tunings else DEFAULT

    def options_with(self, tuning: Tuning) -> type[BaseModel]:
        """The options of a run: the method's own, then those of the tuning."""
        return _both(self.Options, tuning.Options)


@cache
def _both(method: type[BaseModel], tuning: type[BaseModel]) -> type[BaseModel]:
    # Fields of the last base come first.
    return create_model(f"{method.__name__}With{tuning.__name__}", __base__=(tuning, method))


def starting_values(method: Method, preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """What a preset begins with: the method's for LoRA or full tuning, at the pace of the way of tuning."""
    values = method.presets(preset, tuning, parameters)
    for name, factor in (("learning_rate", tuning.rate), ("epochs", tuning.epochs)):
        if factor != 1.0 and name in values:
            values[name] = float(f"{values[name] * factor:.2g}")
    return values


def validated(
    method: Method, preset: str, tuning: str, parameters: int, changes: Mapping[str, Any] | None = None
) -> BaseModel:
    """The options of a run: the preset for this tuning and size of model, with the user's changes.

    ``parameters`` is the size of the base model. Raises ``BadInput`` that quotes the option, its
    value and its range.
    """
    if preset not in PRESETS:
        raise BadInput("methods.unknown_preset", preset=preset, known=", ".join(PRESETS))
    way = method.tunings.get(tuning)
    if way is None:
        raise BadInput(
            "methods.unknown_tuning", tuning=tuning, method=method.name, known=", ".join(method.tunings)
        )
    given = {**starting_values(method, preset, way, parameters), **(changes or {})}
    options = checked(method.options_with(way), given, f"{method.name} ({tuning})", method.areas)
    method.check(options, way)
    return options


def read(method: Method, tuning: Tuning, values: Mapping[str, Any]) -> BaseModel:
    """The options of a run as its ``spec.json`` has them."""
    return method.options_with(tuning).model_validate(without_others(tuning.name, values))
