"""An evaluation that nobody had to carry out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.evaluation import items_file, results, submitting
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.runs.spec import EvalSpec, SuiteChoice
from studio_core.suites import SUITES, Item
from tests.unit.studio_core.training.runs import run_to


def evaluated(
    studio: Studio,
    suites: Sequence[str] = ("facts", "sums"),
    models: Sequence[str] = ("tiny-base", "tiny-chat"),
) -> Job:
    """Two models that were evaluated: the second one won six items of each suite, lost two, and has no score of one."""
    spec = EvalSpec(models=[*models], suites=[SuiteChoice(name=name) for name in suites])
    job = submitting.submit(studio, spec)
    run_to(studio, job, State.SUCCEEDED, steps=1, total=1)
    folder, reached = Path(str(job.run_dir)), []
    folder.mkdir(parents=True, exist_ok=True)
    for model in models:
        for suite in suites:
            rows = [
                _answered(number, item, model, model == models[1])
                for number, item in enumerate(SUITES[suite].items[:20], 1)
            ]
            file = f"items-{len(reached)}.parquet"
            items_file.write(folder / file, rows)
            values = [row.value for row in rows if row.value == row.value]
            figures = {
                "items": 20,
                "without_value": 20 - len(values),
                "seconds": 2.0,
                "asked": 20,
                "cached": 0,
            }
            reached.append(
                {
                    "model": model,
                    "suite": suite,
                    "questions": suite,
                    "value": sum(values) / len(values),
                    "figures": {**figures, "truncated": 1, "unreadable": 1, "tokens": 10.0},
                    "file": file,
                }
            )
    results.register(studio, job, {"results": reached})
    return job


def _answered(number: int, item: Item, model: str, second: bool) -> AnsweredItem:
    """Of twenty items both have ten right; the second model has 11 to 16, the first 17 and 18."""
    right = number <= 10 or (number in range(11, 17) if second else number in (17, 18))
    value = math.nan if number == 19 and second else float(right)
    return AnsweredItem(
        item=str(number),
        kind=item.kind,
        cluster="",
        prompt=[dict(message) for message in item.messages],
        key=item.key,
        answers=(f"{item.key}, says {model}" if right else f"<b>{model}</b> does not know",),
        values=(value,),
        reason="" if right else "wanted",
        reason_values={} if right else {"wanted": item.key},
        readable=number != 20,
        truncated=number == 20,
        tokens=10.0,
    )
