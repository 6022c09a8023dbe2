"""W&B: folders of offline runs, which ``wandb sync`` sends; or, with a key, its cloud or a server of one's own."""

from __future__ import annotations

import re
from shlex import quote

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.options import option
from studio_core.trackers.base import ServerOptions, Tracker

_ENTITY = re.compile(r"[\w-]{0,64}")


class WandbOptions(ServerOptions):
    entity: str = option("", advanced=False)

    @field_validator("entity")
    @classmethod
    def _known(cls, entity: str) -> str:
        if not _ENTITY.fullmatch(entity.strip()):
            raise BadInput("trackers.entity_invalid", entity=entity[:80])
        return entity.strip()


WANDB = Tracker(
    name="wandb",
    module="wandb",
    install="pip install wandb",
    # A run that was begun anew has several folders of one name.
    opened_by=lambda folder, run, _: f"wandb sync {quote(str(folder))}/wandb/offline-run-*-{run}",
    Options=WandbOptions,
    keyed=True,
    hosted_at="https://api.wandb.ai",
    kept_offline=True,
)
