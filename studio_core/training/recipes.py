"""Trainings that are ready to start, and what the form of the Train page begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from studio_core import methods
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.data.shapes import Shape
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS
from studio_core.models import registry
from studio_core.runs.spec import TrainSpec
from studio_core.training.datasets import fitting_datasets
from studio_core.training.documents import spec_from
from studio_core.training.planning import plan, scores
from studio_core.training.starting import submit


@dataclass(frozen=True)
class Recipe:
    """A training with what every studio has. Its texts are ``shell.home_try_<name>`` and ``..._text``."""

    name: str
    method: str
    model: str
    dataset: str

    @property
    def wish(self) -> dict[str, str]:
        """As the address of the Train page says it, and ``spec_for`` takes it."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


RECIPES = (
    Recipe("sft", method="sft", model="tiny-base", dataset="tiny-sft-chat"),
    Recipe("dpo", method="dpo", model="tiny-chat", dataset="identity-pairs"),
)


def start(studio: Studio, name: str, key: str) -> Job | None:
    """Queue the training of a recipe; None if it cannot start as it is, or hardly should, which the form shows."""
    recipe = next((one for one in RECIPES if one.name == name), None)
    if recipe is None:
        raise BadInput("train.unknown_recipe", name=name[:40], known=", ".join(one.name for one in RECIPES))
    spec = spec_for(studio, recipe.wish)
    plan_ = plan(studio, spec)
    if not plan_.ready or plan_.doubtful:
        return None
    # One visit, one training of each recipe: a second click leads to the first one's run.
    return submit(studio, spec, key=f"{key}-{recipe.name}")


def spec_for(studio: Studio, wish: Mapping[str, str]) -> TrainSpec:
    """A training of what was asked for (``method``, ``model``, ``dataset``, ``tuning``, ``preset``), the rest as a
    first try needs it. A dataset that does not fit the method is left out."""
    method = wish.get("method", "")
    if method not in METHODS:
        method = _method_for(studio, wish.get("dataset", ""), wish.get("model", ""))
    datasets = fitting_datasets(studio, method)
    fitting = [f"{dataset.name}@{dataset.version}" for dataset, reason in datasets if reason is None]
    models = [model.name for model in registry.writers(studio)]
    preferred = _usual_model(method)
    dataset = wish.get("dataset", "")
    named = [name for name in fitting if dataset in (name, name.rpartition("@")[0])]
    tuning, preset = wish.get("tuning", ""), wish.get("preset", "")
    return spec_from(
        {
            "method": method,
            "model": wish.get("model") or (preferred if preferred in models else next(iter(models), "")),
            "dataset": next(iter(named or ([] if dataset else fitting)), ""),
            "tuning": METHODS[method].nearest(tuning),
            "preset": preset if preset in PRESETS else "balanced",
        }
    )


def _usual_model(method: str) -> str:
    """The model that the recipe of a method begins with; where there is none, one that answers already."""
    return next((recipe.model for recipe in RECIPES if recipe.method == method), RECIPES[-1].model)


def _method_for(studio: Studio, dataset: str, model: str) -> str:
    """The first method that takes the dataset; for a model that scores, the one that trains such."""
    try:
        if model and scores(studio, model):
            return next(name for name, method in METHODS.items() if not method.writes)
    except NotFound:  # The form is of use without the model that is asked for, and the plan says so.
        pass
    if not dataset:
        return methods.DEFAULT
    fitting = methods.learning_from(Shape(store.get(studio, dataset).shape))
    return fitting[0].name if fitting else methods.DEFAULT
