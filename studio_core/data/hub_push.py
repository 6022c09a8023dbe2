"""Push a version of a dataset to the Hub, when a person asks for it: its Parquet and its card in one commit.

The upload runs in a process of its own (``hub_upload``), so that gigabytes and the Hub's client stay out
of the process that serves the pages. The token is found by that client; the studio never has it.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import hub_upload, outgoing

# The name that the Hub's own tools write, so that its viewer finds the split.
DATA = "data/train-00000-of-00001.parquet"
"""Where the records lie in the repository."""

# Signs and lengths as the Hub allows them, told before anything is uploaded.
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True)
class Pushed:
    repo: str
    url: str
    """Address of the repository."""
    commit: str
    public: bool
    rows: int


def push(studio: Studio, dataset: Dataset, repo: str, *, public: bool = False, layout: str = "trl") -> Pushed:
    """Upload a version to ``name/dataset``, which is made, private unless ``public``, if it does not exist.

    Raises ``StudioError`` if there is no token, no right, or no connection.
    """
    repo = repo.strip()
    if not names_repo(repo):
        raise BadInput("exports.hub_repo_invalid", repo=repo[:200])
    # On the disk of the data folder: a dataset may be larger than /tmp.
    with tempfile.TemporaryDirectory(dir=studio.settings.uploads) as folder:
        file, card = Path(folder) / "data.parquet", Path(folder) / "README.md"
        done = outgoing.export(studio, dataset, file, "parquet", layout=layout)
        card.write_text(outgoing.card_of(studio, dataset, done.fit, DATA, repo), encoding="utf-8")
        answer = upload(
            {
                "repo": repo,
                "type": "dataset",
                "public": public,
                "message": f"{dataset.name}, version {dataset.version}",
                "files": {DATA: str(file), "README.md": str(card)},
            }
        )
    return Pushed(repo, answer["url"], answer["commit"], public, done.fit.rows)


def names_repo(repo: str) -> bool:
    """Whether the Hub would take it as the name of a repository."""
    odd = ".." in repo or "--" in repo or repo.endswith((".git", ".", "-"))
    return bool(_REPO.fullmatch(repo)) and not odd


def upload(asked: dict[str, object]) -> dict[str, str]:
    """Have ``hub_upload`` put files into a repository, which is made if it is not there; its answer.

    ``asked``: repo, type (``dataset`` or ``model``), public, message, and files by their path in the repository,
    ``README.md`` among them. Raises ``StudioError``.
    """
    return hub_upload.carried_out(asked, dict(os.environ))
