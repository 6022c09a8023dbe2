"""``python -m studio_core.data.hub_upload ASKED``: the upload itself; lines of its output are JSON.

``{"done", "total"}`` in bytes with each file, at last ``{"url", "commit"}``, or what stood in the way:
``{"key", "values"}`` of the text catalogue.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio_core.base.errors import StudioError
from studio_core.data.cards import with_theirs
from studio_core.runs.spec import PushRun

_QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


CARD = "README.md"


def of_model(run: PushRun, folder: Path) -> dict[str, object]:
    """What is asked for to push a model; writes its card into ``folder``."""
    (folder / CARD).write_text(run.card, encoding="utf-8")
    files = {**run.files, CARD: str(folder / CARD)}
    return {"repo": run.repo, "type": "model", "public": run.public, "message": run.message, "files": files}


def carried_out(
    asked: Mapping[str, object],
    environment: Mapping[str, str],
    told: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """The upload in a process of its own: its ``url`` and ``commit``; ``told`` hears bytes done and in all.

    Raises ``StudioError`` of what stood in the way.
    """
    command = [sys.executable, "-m", "studio_core.data.hub_upload", json.dumps(asked)]
    answer: dict[str, Any] = {}
    # Without a terminal the client cannot ask for a token in the middle of a request. What libraries print goes
    # where this process prints: a pipe that nobody reads would fill.
    with subprocess.Popen(
        command, env={**environment, **_QUIET}, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if not line.startswith("{"):  # Of a library.
                continue
            answer = json.loads(line)
            if told and "done" in answer:
                told(answer["done"], answer["total"])
    if "key" in answer:
        raise StudioError(f"exports.{answer['key']}", **answer["values"])
    if "url" not in answer:
        raise StudioError("exports.hub_failed", repo=asked["repo"], reason=f"exit code {child.returncode}")
    return {name: str(answer[name]) for name in ("url", "commit")}


def main(asked: dict[str, Any]) -> dict[str, Any]:
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import RepositoryNotFoundError

    repo, kind, public = asked["repo"], asked["type"], asked["public"]
    if not get_token():
        return {"key": "hub_no_token", "values": {}}
    api = HfApi()
    try:
        # Asked before anything is sent: what was meant to be private must not land in a public repository.
        is_private = api.repo_info(repo, repo_type=kind).private
    except RepositoryNotFoundError:
        api.create_repo(repo, repo_type=kind, private=not public)
    else:
        if bool(is_private) is public:
            there = "private" if is_private else "public"
            return {"key": "hub_other_visibility", "values": {"repo": repo, "visibility": there}}
        _keep_theirs(api, repo, kind, Path(asked["files"]["README.md"]))
    files = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=file) for path, file in asked["files"].items()
    ]
    total, sent = sum(Path(file).stat().st_size for file in asked["files"].values()), 0
    for file, path in zip(files, asked["files"].values(), strict=True):
        # One by one, so that it is known how far it is; the commit then sends what is small.
        api.preupload_lfs_files(repo, [file], repo_type=kind)
        sent += Path(path).stat().st_size
        print(json.dumps({"done": sent, "total": total}), flush=True)
    done = api.create_commit(repo, files, commit_message=asked["message"], repo_type=kind)
    place = f"datasets/{repo}" if kind == "dataset" else repo
    return {"url": f"{api.endpoint}/{place}", "commit": done.oid}


def _keep_theirs(api: Any, repo: str, kind: str, card: Path) -> None:
    """Put what people have stated in the card that is there into the one that replaces it."""
    from huggingface_hub.errors import EntryNotFoundError

    try:
        there = api.hf_hub_download(repo, "README.md", repo_type=kind, local_dir=card.parent / "there")
    except EntryNotFoundError:
        return
    text = Path(there).read_text(encoding="utf-8", errors="replace")
    card.write_text(with_theirs(card.read_text(encoding="utf-8"), text), encoding="utf-8")


def why(error: Exception, asked: dict[str, Any]) -> dict[str, Any]:
    """What an error of the Hub's client means for the person who asked."""
    from huggingface_hub import constants, get_token

    # 300 characters: errors of the client can hold a whole page of HTML.
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    # An error may quote the request with its token.
    reason = reason.replace(get_token() or "\0", "***")
    status = getattr(getattr(error, "response", None), "status_code", None)
    values = {"repo": asked["repo"], "reason": reason}
    if status == 401:
        return {"key": "hub_token_refused", "values": {"reason": reason}}
    # The Hub says 404 of what one may not see, so that nobody learns that it is there.
    if status in (403, 404):
        return {"key": "hub_no_right", "values": values}
    if status is None and any(_is_connection(part) for part in _chain(error)):
        return {"key": "hub_offline", "values": {"address": constants.ENDPOINT, "reason": reason}}
    return {"key": "hub_failed", "values": values}


def _is_connection(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OfflineModeIsEnabled", "ConnectionError", "TransportError", "TimeoutError"})


def _chain(error: BaseException | None) -> list[BaseException]:
    parts: list[BaseException] = []
    while error is not None and error not in parts:
        parts.append(error)
        # Not twice the same: chains of causes can be circles.
        error = error.__cause__ or error.__context__
    return parts


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    try:
        answer = main(wanted)
    except Exception as failure:  # The border of the process: told in a sentence.
        answer = why(failure, wanted)
    print(json.dumps(answer))
