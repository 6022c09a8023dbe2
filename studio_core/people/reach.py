"""Which files of this computer the studio reads when somebody names a path.

Without accounts that is whoever sits here: their home folder, without what is hidden in it. With accounts they are
the folders that the settings name, and none else. The data folder is nobody's, but for its ``models``.
"""

from __future__ import annotations

import os
from pathlib import Path

from studio_core.base.files import Reach
from studio_core.base.settings import Settings, bundled_folder
from studio_core.base.studio import Studio
from studio_core.people import accounts


def reach(studio: Studio) -> Reach:
    """What paths lead to for everybody who may name one, as things stand."""
    settings = studio.settings
    named = [Path(part).expanduser() for part in settings.model_roots.split(os.pathsep) if part.strip()]
    # With accounts, others than the owner of the home folder name paths.
    if not named and not accounts.any_accounts(studio):
        named = [Path.home(), _hub_cache()]
    home = settings.home.resolve()
    roots = [root.resolve() for root in named]
    # A root inside the data folder would open the database; its ``models`` are added by themselves.
    outside = [root for root in roots if not root.is_relative_to(home)]
    return Reach((*outside, *own(settings)), (home,))


def own(settings: Settings) -> tuple[Path, Path]:
    """Folders of the studio's own that may be named."""
    return settings.models.resolve(), bundled_folder()


def _hub_cache() -> Path:
    """Where programs of Hugging Face keep what they have downloaded: hidden, but full of models."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
