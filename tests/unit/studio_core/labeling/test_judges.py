"""What judges say reaches the project as it was said, and is measured by what they could say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.studio import Studio
from studio_core.base.tables import Job, LabelProject
from studio_core.labeling import exports, items, judges, projects, writing
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.writing import PRELABEL
from studio_core.runs import queue
from tests.unit.studio_core.labeling.comparing import asked, judged


@pytest.fixture
def project(studio: Studio) -> LabelProject:
    one = projects.create(studio, "pairs", settings={"repeats": 0.0, "held_out": 0.0})
    pairs = (NewItem(asked(f"q{n}"), [Answer("yes", "a"), Answer("no", "b")]) for n in range(4))
    items.add(studio, one.id, pairs)
    return one


def job_of(studio: Studio, project: LabelProject, name: str) -> Job:
    options = {"project": project.id, "name": name}
    return queue.submit(studio, kind="data", name=name, method=PRELABEL, spec={"options": options})


def told(studio: Studio, job: Job, project: LabelProject, verdicts: list[str], **more: Any) -> None:
    """The lines of a job that judges the items of a project in their order."""
    lines = [
        {"type": "verdict", "item": item.id, "verdict": verdict, "said": [verdict] * 2, **more}
        for item, verdict in zip(items.page(studio, project.id), verdicts, strict=True)
    ]
    with studio.db.write() as session:
        writing.store(session, job, lines)


def test_both_bad_is_a_word_of_its_own_for_judges_that_have_it(
    studio: Studio, project: LabelProject, tmp_path: Path
) -> None:
    """Of one that was asked before judges could say it, a tie is all that it could say of two bad answers."""
    judged(studio, project, ["both_bad", "both_bad", "tie", "a"])
    told(
        studio,
        job_of(studio, project, "new"),
        project,
        ["both_bad", "tie", "both_bad", "a"],
        may_say_both_bad=True,
    )
    told(studio, job_of(studio, project, "older"), project, ["tie", "tie", "tie", "b"])
    new, older = judges.of_project(studio, project)
    assert new.counts == {"both_bad": 2, "tie": 1, "a": 1} and new.swayed == 0
    assert (new.agreement.count, new.agreement.of) == (2, 4)
    assert (older.agreement.count, older.agreement.of) == (3, 4)
    exports.write(studio, project.id, "audit", tmp_path / "audit.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [one["verdict"] for one in lines if one["annotator"] == "judge:new"].count("both_bad") == 2
