"""Questions that a model was trained on: planted in the data of the first of two trainings."""

from __future__ import annotations

import shutil
from pathlib import Path

from studio_core import training
from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job, Model
from studio_core.data.shapes import Shape
from studio_core.evaluation import contamination, items_file, loading, standing
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.evaluation.page import page
from studio_core.evaluation.report import report
from studio_core.models import registry
from tests.unit.studio_core.reports.judged import answered, written
from tests.unit.studio_core.training.runs import chat, imported, spec

LONG = (
    "A farmer has twelve hens, each of which lays an egg on every day but Sunday; how many eggs does she sell "
    "in four weeks if she eats two on every Saturday?"
)
SHORT = "Who mends the bells of Gorm?"
QUESTIONS = {
    "1": LONG,
    "7": SHORT,
    "8": "Who rings them?",
    "9": "What colour has the tower of the old mill by the sea?",
}


def test_a_question_stands_in_a_record_by_half_of_its_words_or_as_its_prompt(tmp_path: Path) -> None:
    records = [
        answered(f"Solve this: {' '.join(LONG.upper().split()[:24])}", "It depends on the hens."),
        answered("who mends the BELLS of gorm", "Nobody does."),
        answered("Tell me: who rings them?", "They ring by themselves."),
    ]
    file = written(tmp_path, Shape.PROMPT_COMPLETION, records)
    asked = {"all": QUESTIONS, "one": {"8": QUESTIONS["8"], "x": LONG}}
    found = standing.standing_in(asked, file, Shape.PROMPT_COMPLETION)
    assert found == {"all": {"1", "7"}, "one": {"x"}}


def made(studio: Studio, job: Job) -> Model:
    """What a run has made, without the work."""
    shutil.copytree(registry.get(studio, "tiny-base").path, Path(job.run_dir or "") / "model")
    return registry.register_result(studio, job, {"model": "model", "kind": "full"})


def evaluated(studio: Studio, model: Model, job: Job) -> Evaluation:
    """An evaluation of the questions: right in those that it learnt, wrong in the others."""
    rows = [
        AnsweredItem(item, "", "", [{"role": "user", "content": text}], "", ("a",), (float(item in "17"),))
        for item, text in QUESTIONS.items()
    ]
    items_file.write(Path(job.run_dir or "") / "items.parquet", rows)
    evaluation = Evaluation(
        job_id=job.id, model_id=model.id, model=model.name, suite="exam", questions="q", value=0.5, figures={},
        file="items.parquet", created_at=clock.now(),
    )  # fmt: skip
    with studio.db.write() as session:
        session.add(evaluation)
    return evaluation


def test_the_data_of_all_ancestors_counts(studio: Studio, tmp_path: Path) -> None:
    registry.ensure_demo_models(studio)
    imported(studio, "planted", [chat(LONG, "552"), chat("Hi?", "Hi.")] * 3, tmp_path)
    imported(studio, "clean", [chat(f"Count to {n}.", "I do.") for n in range(9)], tmp_path)
    imported(studio, "kept", [chat(SHORT, "Nobody."), chat("Ho?", "Ho.")] * 3, tmp_path)
    first = training.submit(studio, spec(name="first", dataset="planted"))
    parent = made(studio, first)
    held_out = {"held_out": "kept"}
    second = training.submit(studio, spec(name="second", dataset="clean", model="first", data=held_out))
    evaluation = evaluated(studio, made(studio, second), second)
    lineage = contamination.trained_on(studio, evaluation.model_id)
    assert contamination.known(studio, evaluation, lineage) is None, "nobody has looked"
    told = contamination.of(studio, evaluation)
    assert told.items == {"1", "7"} and told.gone == ()
    assert contamination.known(studio, evaluation, lineage) == told.items
    document = report(loading.results_of(studio, [evaluation], "en"))
    assert (document.cells[0].mean, document.cells[0].trained_on, document.cells[0].without) == (0.5, 2, 0.0)
    assert "2 in the training data, 0% without them" in page(document, "en")
    assert set(told.datasets) == {"clean@1", "kept@1", "planted@1"}
    assert contamination.value_without(studio, evaluation, told.items) == 0
    assert contamination.value_without(studio, evaluation, frozenset(QUESTIONS)) is None
    assert contamination.of(studio, evaluated(studio, parent, first)).items == {"1"}
    assert contamination.trained_on(studio, registry.get(studio, "tiny-base").id) == {}
    for each in contamination.trained_on(studio, parent.id).values():
        Path(each.path).unlink()
    again = contamination.of(studio, evaluation)
    assert again.items == {"1", "7"} and again.gone == (), "what was found once is kept"
    evaluation.questions = "others"
    told = contamination.of(studio, evaluation)
    assert told.items == {"7"} and told.gone == ("planted@1",)
