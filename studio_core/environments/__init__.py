"""Environments: what a model may call while it answers. This list is the only one that names them."""

from __future__ import annotations

from studio_core.environments import calculator, world_search
from studio_core.environments.base import Environment
from studio_core.environments.calculator import CALCULATOR
from studio_core.environments.world_search import WORLD_SEARCH

DEMO_WORLD = Environment("demo_world", (calculator.TOOL, world_search.TOOL))
"""Both tools at once: which one is called is part of what is learnt."""

ENVIRONMENTS: dict[str, Environment] = {
    environment.name: environment for environment in (CALCULATOR, WORLD_SEARCH, DEMO_WORLD)
}
