"""``python -m studio_core.models.hub_query ASKED``: one question to the Hub; its line of output is JSON.

Asked is ``{"find": TEXT, "limit": N}`` or ``{"look": NAME}``. A look fetches the list of files and the small ones
that say what the model is, keeps nothing, and runs nothing. What went wrong is ``{"key", "values"}`` of the texts.
"""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.models.hub import IGNORED, PATTERNS
from studio_core.models.inspect import LIMITS, PICKLED, Inspected, described, template_in

SECONDS = 8.0
"""For each request: a Hub that is slower is not there."""
_DOCUMENTS = ("config.json", "tokenizer_config.json", "adapter_config.json")
_WIDTHS = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}


def find(text: str, limit: int) -> dict[str, Any]:
    """Models that write text whose names have these words, those with most downloads first."""
    from huggingface_hub import HfApi, get_session

    api = HfApi()
    # A list is asked for again and again where nothing answers; this says at once that nothing does.
    get_session().head(api.endpoint, timeout=SECONDS)
    found = api.list_models(
        search=text,
        pipeline_tag="text-generation",
        sort="downloads",
        limit=limit,
        expand=["downloads", "gated", "safetensors", "tags"],
        # What only the owner of this machine may see is for nobody else to find.
        token=False,
    )
    return {
        "models": [
            {
                "name": str(info.id),
                "downloads": int(info.downloads or 0),
                "licence": _licence(info.tags),
                "gated": _gated(info.gated),
                "parameters": int(info.safetensors.total) if info.safetensors else 0,
                "safetensors": "safetensors" in (info.tags or []) or bool(info.safetensors),
            }
            for info in found
        ]
    }


def look(name: str) -> dict[str, Any]:
    """What the Hub tells of a model, as ``hub.OnHub`` has it."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(name, files_metadata=True, timeout=SECONDS)
    files = {one.rfilename: int(one.size or 0) for one in info.siblings or [] if "/" not in one.rfilename}
    documents, closed = _documents(name, str(info.sha), files)
    weights = [file for file in files if fnmatch(file, "model*.safetensors")]
    config = documents.get("config.json")
    tokenizer = documents.get("tokenizer_config.json", {})
    template = "chat_template.jinja" in files or bool(template_in(tokenizer)) or "chat_template.json" in files
    inspected: Inspected | None = None
    if config is not None:
        total, precision = _parameters(info, config, sum(files[file] for file in weights))
        own_code = "auto_map" in config or "auto_map" in tokenizer
        size = sum(files[file] for file in weights)
        inspected = described(config, total, size, precision, template=template, own_code=own_code)
    return {
        "name": str(info.id),
        "licence": _licence(info.tags),
        "gated": _gated(info.gated),
        "closed": closed,
        "download": sum(size for file, size in files.items() if _comes(file)),
        "weights": bool(weights),
        "pickled": next((file for file in files if any(fnmatch(file, each) for each in PICKLED)), ""),
        "config": "config.json" in files,
        "adapter_of": _base_of(documents.get("adapter_config.json"), files),
        "tokenizer": "tokenizer.json" in files,
        "inspected": inspected.details() if inspected else None,
    }


def _documents(name: str, commit: str, files: dict[str, int]) -> tuple[dict[str, dict[str, Any]], bool]:
    """The small files that say what the model is, and whether the Hub keeps them from whoever asks."""
    from huggingface_hub.errors import GatedRepoError

    documents: dict[str, dict[str, Any]] = {}
    for file in _DOCUMENTS:
        if file not in files:
            continue
        try:
            text = _text(name, commit, file)
            document = json.loads(text)
        except GatedRepoError:
            return documents, True
        except (ValueError, RecursionError) as error:
            path = PurePosixPath(name) / file
            raise BadInput("models.bad_json", path=path, reason=str(error)[:200]) from error
        documents[file] = document if isinstance(document, dict) else {}
    return documents, False


def _text(name: str, commit: str, file: str) -> bytes:
    from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    content = b""
    address = hf_hub_url(name, file, revision=commit)
    with get_session().stream(
        "GET", address, headers=build_hf_headers(), timeout=SECONDS, follow_redirects=True
    ) as answer:
        hf_raise_for_status(answer)
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > LIMITS[file]:
                path = PurePosixPath(name) / file
                raise BadInput("models.too_large", path=path, limit=LIMITS[file] >> 20)
    return content


def _parameters(info: Any, config: dict[str, Any], bytes: int) -> tuple[int, str]:
    """Values of the weights and the type of most of them: as the Hub counted them, else from the size of the files."""
    by_type: dict[str, int] = dict(info.safetensors.parameters) if info.safetensors else {}
    if by_type:
        return sum(by_type.values()), max(by_type, key=lambda kind: by_type[kind])
    named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    precision = {"bfloat16": "BF16", "float16": "F16"}.get(named, "F32")
    return bytes // _WIDTHS[precision], precision


def _base_of(adapter: dict[str, Any] | None, files: dict[str, int]) -> str:
    """The model below, of what is an adapter; empty for a complete one."""
    if adapter is None or "config.json" in files:
        return ""
    return str(adapter.get("base_model_name_or_path") or "?")[:200]


def _comes(file: str) -> bool:
    """Whether a download brings this file."""
    wanted = any(fnmatch(file, pattern) for pattern in PATTERNS)
    return wanted and not any(fnmatch(file, pattern) for pattern in IGNORED)


def _licence(tags: list[str] | None) -> str:
    named = (tag.removeprefix("license:") for tag in tags or [] if tag.startswith("license:"))
    return next(named, "")[:80]


def _gated(gated: Any) -> str:
    """How access is given: ``auto`` at once, ``manual`` by its owner; empty if anybody may have it."""
    return str(gated) if gated in ("auto", "manual") else ""


def why(error: BaseException, asked: dict[str, Any]) -> dict[str, Any]:
    """What an error of the Hub's client means for the person who asked."""
    from huggingface_hub import constants, get_token

    if isinstance(error, BadInput):
        return {"key": error.key, "values": {name: str(value) for name, value in error.values.items()}}
    # 300 characters: errors of the client can hold a whole page of HTML, and quote the request with its token.
    reason = " ".join(str(error).split())[:300].replace(get_token() or "\0", "***") or type(error).__name__
    name = asked.get("look") or asked.get("find")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 404):
        return {"key": "models.hub_unknown", "values": {"model": name}}
    if status is None:
        values = {"address": constants.ENDPOINT, "reason": reason}
        return {"key": "models.hub_offline", "values": values}
    return {"key": "models.hub_refused", "values": {"status": status, "reason": reason}}


def main(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return look(asked["look"]) if "look" in asked else find(asked["find"], asked["limit"])
    except Exception as error:  # The border of the process: told in a sentence.
        return why(error, asked)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
