"""``README.md`` of a folder that is handed over: how to start it, what is not the same, and what to compare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from studio_core import methods, texts
from studio_core.handover.base import Trainer
from studio_core.runs.spec import RunSpec

if TYPE_CHECKING:
    from studio_core.handover.writing import Handover


def text_of(result: Handover, trainer: Trainer, run: RunSpec, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """The whole file, in Markdown."""

    def say(key: str, **values: Any) -> str:
        return texts.text(f"handover.{key}", language, **values)

    spec = run.spec
    lines = [
        f"# {_plain(result.name)}: {trainer.title} {trainer.version}",
        say("intro", run=result.run, method=spec.method, tuning=spec.tuning, model=_plain(run.model.name))
        + " "
        + say("rows", dataset=_plain(spec.dataset), rows=_counted(result.rows)),
        f"## {say('start')}",
        say(
            "start.how" if trainer.checked else "start.unchecked",
            trainer=trainer.title,
            version=trainer.version,
        ),
        "```bash\nbash run.sh\n```",
        say("start.model", path=run.model.path),
        *([say("start.rewards")] if methods.named(spec.method).rewards else []),
        texts.text(trainer.notes_key, language),
        f"## {say('differs')}",
        *_differences(result, trainer.title, say),
        f"## {say('compare')}",
        say("compare.how") if not result.not_rendered else say("compare.not", reason=result.not_rendered),
        f"## {say('back')}",
        say("back.where", metrics=trainer.metrics, weights=trainer.weights),
    ]
    return "\n\n".join(lines) + "\n"


def _differences(result: Handover, trainer: str, say: Any) -> Iterable[str]:
    if result.without:
        yield say("without", trainer=trainer)
        yield _table(("option", "value"), ((name, value) for name, value in result.without.items()))
    if result.nearest:
        yield say("nearest", trainer=trainer)
        yield _table(("option", "value", trainer), ((name, *both) for name, both in result.nearest.items()))
    if not result.without and not result.nearest:
        yield say("all_there")
    if result.left_out:
        yield lost(result.left_out, say)
    if result.by_default:
        yield say("by_default", options=", ".join(f"`{name}`" for name in result.by_default))
    yield say("not_same")


def lost(left_out: Mapping[str, int], say: Any, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """How many rows are not there, and why."""
    reasons = (f"{texts.text(f'exports.unfit_{code}', language)}: {n:,}" for code, n in left_out.items())
    return str(say("left_out", n=sum(left_out.values()), reasons=", ".join(reasons)))


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"`data/{name}`: {n:,}" for name, n in rows.items())


def _table(heading: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [[*heading]]
    lines.append(["---"] * len(lines[0]))
    lines += [[f"`{row[0]}`", *(f"`{_cell(value)}`" for value in row[1:])] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _plain(text).replace("|", "\\|").replace("`", "'")


def _plain(text: str) -> str:
    """One line, whatever a name holds."""
    return " ".join(text.split())
