"""``python -m jobs.curation.hub_rows OPTIONS FILE``: stream rows of a dataset of the Hub into a JSONL file.

Tells its progress on standard output, one JSON object a line: ``{"done", "total"}``, ``{"origin"}``, or
what went wrong as ``{"key", "values"}`` of the text catalogue. No code of a dataset is ever run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MEDIA = ("Image", "Audio", "Video", "Pdf", "Nifti", "Mesh")
# Often enough that a bar moves, seldom enough that the reports cost nothing.
TOLD_EVERY = 200


class Refused(Exception):
    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.key, self.values = f"adding.{key}", values


def main(options: dict[str, Any], path: Path) -> None:
    revision = commit(options)
    subset, split = chosen(options, revision)
    from datasets import load_dataset

    stream = load_dataset(options["hub"], subset, split=split, streaming=True, revision=revision)
    total = options["rows"] or _known_rows(stream, split)
    left_out = _media(stream)
    if left_out:
        stream = stream.remove_columns(left_out)
    tell(
        done=0,
        total=total,
        origin={
            "hub": options["hub"],
            "subset": subset,
            "split": split,
            "revision": revision,
            "rows": options["rows"],
            "columns_left_out": left_out,
        },
    )
    rows = stream.take(options["rows"]) if options["rows"] else stream
    done = 0
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, default=plain) + "\n")
            done += 1
            if done % TOLD_EVERY == 0:
                tell(done=done, total=total)
    if not done:
        raise Refused("hub_empty", name=options["hub"], split=split)
    tell(done=done, total=done)


def commit(options: dict[str, Any]) -> str:
    """The commit that the revision (a branch, a tag, or the newest) is now."""
    from huggingface_hub import HfApi

    found = HfApi().dataset_info(options["hub"], revision=options["revision"] or None).sha
    if not found:
        raise Refused("hub_unknown", name=options["hub"], revision=options["revision"] or "-")
    return found


def chosen(options: dict[str, Any], revision: str) -> tuple[str, str]:
    """The subset and the split that are wanted; refused with the list of those that there are."""
    from datasets import get_dataset_config_names, get_dataset_split_names

    name = options["hub"]
    subsets = get_dataset_config_names(name, revision=revision)
    subset = options["subset"] or (subsets[0] if len(subsets) == 1 else "default")
    if subset not in subsets:
        raise Refused("hub_subsets", name=name, given=options["subset"] or "-", known=listed(subsets))
    splits = get_dataset_split_names(name, subset, revision=revision)
    split = options["split"]
    if split not in splits:
        raise Refused("hub_splits", name=name, given=split, known=listed(splits))
    return subset, split


def listed(names: list[str]) -> str:
    return ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")


def _known_rows(stream: Any, split: str) -> int | None:
    splits = getattr(stream.info, "splits", None) or {}
    return getattr(splits.get(split), "num_examples", None) or None


def _media(stream: Any) -> list[str]:
    """Columns of pictures, sound and the like: what is trained here is text."""
    features = stream.features or {}
    return [name for name, feature in features.items() if type(feature).__name__ in MEDIA]


def plain(value: Any) -> Any:
    """What JSON does not have, as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def tell(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def reason_of(error: BaseException, options: dict[str, Any]) -> Refused:
    """What a failure of the libraries means for the person who asked."""
    if isinstance(error, Refused):
        return error
    names = {type(part).__name__ for part in chain(error)}
    name, revision = options["hub"], options["revision"] or "main"
    if "GatedRepoError" in names:
        return Refused("hub_gated", name=name)
    if names & {"RepositoryNotFoundError", "DatasetNotFoundError", "RevisionNotFoundError"}:
        return Refused("hub_unknown", name=name, revision=revision)
    if names & {
        "ConnectError", "ConnectionError", "ConnectTimeout", "ReadTimeout", "OfflineModeIsEnabled",
        "ConnectionRefusedError", "gaierror", "NewConnectionError", "ReadError", "TimeoutException",
    }:  # fmt: skip
        return Refused("hub_unreachable", name=name)
    said = " ".join(str(error).split())[:300]
    if "script" in said.lower():
        return Refused("hub_script", name=name)
    return Refused("hub_failed", name=name, reason=f"{type(error).__name__}: {said}")


def chain(error: BaseException | None) -> list[BaseException]:
    parts = []
    while error is not None and error not in parts:
        parts.append(error)
        error = error.__cause__ or error.__context__
    return parts


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    try:
        main(asked, Path(sys.argv[2]))
    except Exception as failure:  # The border of the process: told in a sentence, with the trace in the log.
        import traceback

        traceback.print_exc()
        refused = reason_of(failure, asked)
        tell(key=refused.key, values=refused.values)
        sys.exit(1)
