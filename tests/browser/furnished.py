"""A studio in which every page has something to show, made before its page is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio_core import training
from studio_core.base.settings import bundled_folder
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport, Job
from studio_core.data import store, versions
from studio_core.data.shapes import Shape
from studio_core.generation import services
from studio_core.labeling import assignment, items, projects, votes
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict
from studio_core.reports.compute import compute
from studio_core.reports.features import features_path
from studio_core.runs import queue, run_folder
from studio_core.runs.rollouts import RolloutWriter
from studio_core.runs.spec import ResolvedModel
from studio_core.runs.token_figures import TokenFigures, TokenFiguresWriter
from tests.browser.opening import furnish
from tests.unit.studio_core.evaluation.evaluated import evaluated
from tests.unit.studio_core.runs.test_rollouts import asked
from tests.unit.studio_core.training.runs import checkpoint, imported, run_to, say, spec

SETTLED = """() => new Promise((done) => {
	let timer = setTimeout(done, 400);
	const ended = performance.now() + 6000; // Charts of a run that goes on are never still.
	new MutationObserver(() => {
		if (performance.now() < ended) { clearTimeout(timer); timer = setTimeout(done, 400); }
	}).observe(document.body, { childList: true, subtree: true });
})"""
"""Resolves once nothing has been drawn for a moment."""


def furnish_all(studio: Studio, folder: Path) -> dict[str, str]:
    """Runs of every end, projects of every mode, a report, two versions; the addresses by name."""
    addresses = furnish(studio)
    queue.pause(studio, False)
    services.add(studio.settings.home / "services.json", "local", "http://127.0.0.1:9/v1", model="small")
    newest = _two_versions(studio, folder)
    _report(studio, newest)
    # Before the runs, of which some go on and keep the only device.
    evaluation = f"/evaluate?job={evaluated(studio).id}"
    runs = {**_runs(studio), "A run with rollouts": rollouts_run(studio, folder)}
    queue.pause(studio)
    return {
        **addresses,
        **runs,
        "Evaluate": "/evaluate",
        "An evaluation": evaluation,
        **_projects(studio),
        "Dataset": f"/dataset?id={newest.id}",
        "Dataset, versions": f"/dataset?id={newest.id}&tab=versions&with={newest.id - 1}",
    }


def _two_versions(studio: Studio, folder: Path) -> Dataset:
    """Preference pairs, some of which are to be looked at; the second version has one more."""
    rows = [
        {"prompt": f"What is {n} plus one?", "chosen": f"It is {n + 1}.", "rejected": f"**{n}**, I think."}
        for n in range(40)
    ]
    rows += [rows[0], {**rows[1], "chosen": "Write to ann@example.org"}]
    file = folder / "plus-one.jsonl"
    for more in ([], [{"prompt": "And zero?", "chosen": "One.", "rejected": "Zero."}]):
        file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]))
        newest = store.import_file(studio, file, name="plus-one").dataset
    return newest


def _report(studio: Studio, dataset: Dataset) -> None:
    """What a job would have stored."""
    path = versions.parquet_path(studio, dataset)
    model = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"))
    made = compute(path, Shape(dataset.shape), features_path(path), model=model, limit=20)
    with studio.db.write() as session:
        session.add(
            DatasetReport(dataset_id=dataset.id, tokenizer="tiny-chat", body=made.model_dump(mode="json"))
        )


def _runs(studio: Studio) -> dict[str, str]:
    """One that failed, and one that was stopped, with all that a run's page can show."""
    names: dict[str, Any] = {"failed": (State.FAILED, 4), "stopped": (State.SUCCEEDED, 12)}
    addresses = {}
    for name, (state, steps) in names.items():
        job = training.submit(studio, spec(dataset="tiny-sft-chat", name=name, prompts=["Who?"]))
        job = run_to(studio, job, state, steps=steps)
        _leavings(studio, job)
        addresses[f"A run that {'was ' if name == 'stopped' else ''}{name}"] = f"/runs?run={job.id}"
    return addresses


def rollouts_run(studio: Studio, folder: Path) -> str:
    """A run that learns from rewards, with what it wrote."""
    rows = ({"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60))
    imported(studio, "plus-one-asked", rows, folder)
    job = training.submit(studio, spec(method="grpo", model="tiny-chat", dataset="plus-one-asked"))
    job = run_to(studio, job, State.SUCCEEDED, steps=12)
    _leavings(studio, job)
    kept = [one for step in range(1, 13) for one in asked(step, f"{step} plus 1", 0.0, 1.0, None, 0.5)]
    run_dir = Path(str(job.run_dir))
    newest = RolloutWriter(run_dir, kept=100).write(kept)[-1]
    figures = TokenFigures(
        tokens=["s", "o", " ", "3", "<|end|>"],
        advantage=[0.1, 0.4, -0.7, 2.4, -1.2],
        entropy=[0.02, 0.3, 0.9, 1.6, 2.5],
        ratio=[1.0, 1.05, 0.85, 1.3, 0.4],
    )
    TokenFiguresWriter(run_dir).write(newest, figures)
    return f"/runs?run={job.id}"


def _leavings(studio: Studio, job: Job) -> None:
    """Answers, checkpoints, a log."""
    say(studio, job, [("before", 0, "Hm."), ("during", 3, "I am **new**."), ("after", 12, "A model.")])
    checkpoint(job, 2)
    checkpoint(job, 4, torn=True)
    (Path(str(job.run_dir)) / run_folder.LOG).write_text("loading\nstep 1\n" * 60)


def _projects(studio: Studio) -> dict[str, str]:
    """One of each mode, and one with votes of two people who differ."""
    addresses = {}
    wishes: dict[str, tuple[str, int, dict[str, Any]]] = {
        "rank": ("rank", 4, {}),
        "rate": ("rate", 1, {}),
        "correct": ("rate", 1, {"correct": True}),
    }
    for name, (mode, answers, settings) in wishes.items():
        addresses[f"Label, {name}"] = (
            f"/label?project={label_project(studio, name, mode, answers, **settings)}"
        )
    disputed = label_project(studio, "disputed", "pairs", 2, votes=2)
    for person, place in (("anna", 0), ("ben", 1)) * 3:
        shown = assignment.next_item(studio, disputed, person)
        assert shown is not None
        side = ("left", "right")[shown.order.index(place)]
        votes.cast(studio, disputed, person, shown.item.id, Verdict(side, comment="so", reasons=["factual"]))
    mine = assignment.next_item(studio, disputed, "me")
    assert mine is not None
    votes.cast(studio, disputed, "me", mine.item.id, Verdict("tie"))
    return {**addresses, "Label, votes": f"/label?project={disputed}"}


def label_project(
    studio: Studio, name: str, mode: str, answers: int, questions: int = 6, **settings: Any
) -> int:
    """A labelling project with so many questions, and so many answers to each; returns its number."""
    one = projects.create(
        studio, name, mode=mode, settings={"repeats": 0.0, **settings}, guidelines="Prefer *facts*."
    )
    items.add(
        studio,
        one.id,
        [
            NewItem(
                [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Question {n}?"}],
                [Answer(f"answer {n} of **model {m}**", f"model-{m}") for m in range(answers)],
            )
            for n in range(1, questions + 1)
        ],
    )
    return one.id
