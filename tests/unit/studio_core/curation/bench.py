"""Operations carried out on a few records, without a studio around them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core import curation
from studio_core.curation.base import Source, Work, validated
from studio_core.data import parquet
from studio_core.data.shapes import COLUMNS, Record, Shape

PC = Shape.PROMPT_COMPLETION


def turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def pc(prompt: str, answer: str, system: str = "") -> Record:
    first = [turn("system", system)] if system else []
    return {"prompt": [*first, turn("user", prompt)], "completion": [turn("assistant", answer)]}


def pair(prompt: str, chosen: str, rejected: str) -> Record:
    return {
        "prompt": [turn("user", prompt)],
        "chosen": [turn("assistant", chosen)],
        "rejected": [turn("assistant", rejected)],
    }


def chat(*said: str) -> Record:
    roles = ("user", "assistant")
    return {"messages": [turn(roles[place % 2], text) for place, text in enumerate(said)]}


def shape_of(record: Record) -> Shape:
    fitting = [shape for shape in Shape if set(COLUMNS[shape]) <= record.keys()]
    return max(fitting, key=lambda shape: len(COLUMNS[shape]))


def stored(folder: Path, records: Sequence[Record], name: str = "mine", shape: Shape | None = None) -> Source:
    shape = shape or shape_of(records[0])
    path = folder / f"{name}.parquet"
    keep = [column for column in records[0] if column not in COLUMNS[shape]]
    with open(path, "w+b") as file:
        writer = parquet.Writer(file, shape, keep)
        for record in records:
            writer.add(record)
        writer.close()
    return Source(id=1, name=name, version=1, shape=shape, rows=len(records), path=path)


@dataclass
class Done:
    outputs: dict[str, list[Record]]
    shapes: dict[str, str]
    counts: dict[str, int]
    details: dict[str, Any]

    @property
    def records(self) -> list[Record]:
        return self.outputs[""]

    @property
    def reasons(self) -> dict[str, int]:
        return dict(self.details.get("reasons", {}))


def carried_out(
    operation: str,
    sources: Source | Sequence[Source],
    /,
    *,
    seed: int = 0,
    stop_after: int = -1,
    **options: Any,
) -> Done:
    """What the operation makes of the sources; ``stop_after`` so many records, as if the user had asked for it."""
    known = curation.named(operation)
    seen = 0

    def stopping() -> bool:
        nonlocal seen
        seen += 1
        return 0 <= stop_after < seen

    with tempfile.TemporaryDirectory() as folder:
        work = Work(
            folder=Path(folder),
            sources=[sources] if isinstance(sources, Source) else list(sources),
            seed=seed,
            report=lambda done, total, figures: None,
            stopping=stopping,
        )
        assert known.run is not None
        try:
            known.run(work, validated(known, options))
        except BaseException:
            for output in work.outputs:
                output.abandon()
            raise
        closed = [output.close() for output in work.outputs]
        return Done(
            {one["suffix"]: list(parquet.read(work.folder / one["file"])) for one in closed},
            {one["suffix"]: one["shape"] for one in closed},
            work.counts,
            work.details,
        )


def answers(records: Sequence[Record]) -> list[str]:
    return [record["completion"][-1]["content"] for record in records]
