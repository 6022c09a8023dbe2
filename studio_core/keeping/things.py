"""The kinds of things, by the names that commands and addresses give them."""

from __future__ import annotations

from studio_core.keeping.chats import CHATS
from studio_core.keeping.datasets import DATASETS
from studio_core.keeping.models import MODELS
from studio_core.keeping.projects import PROJECTS
from studio_core.keeping.runs import RUNS

THINGS = {thing.name: thing for thing in (RUNS, MODELS, DATASETS, CHATS, PROJECTS)}
