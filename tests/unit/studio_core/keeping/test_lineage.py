"""Where a model comes from, and what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.parts import lineage_graph
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, LabelProject, Model
from studio_core.data import store
from studio_core.keeping import lineage, marks
from studio_core.keeping.lineage import Key, Lineage
from studio_core.keeping.models import MODELS
from studio_core.labeling.exports import OPERATION
from studio_core.models import registry
from tests.unit.studio_core.evaluation.evaluated import evaluated
from tests.unit.studio_core.keeping.test_deleting import train
from tests.unit.studio_core.training.runs import chat, imported


@pytest.fixture
def trained(studio: Studio, tmp_path: Path) -> Model:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    return train(studio, measured=False, name="poet")


def names(found: Lineage) -> dict[Key, str]:
    return {node.key: node.name for node in found.nodes}


def edges(found: Lineage) -> set[tuple[str, str]]:
    named = names(found)
    return {(f"{one[0]} {named[one]}", f"{other[0]} {named[other]}") for one, other in found.edges}


def test_votes_become_data_become_a_model_that_is_compared_and_measured(
    studio: Studio, trained: Model
) -> None:
    """One whole turn of the loop, and the next version of the votes after it."""
    prompts = store.get(studio, "sums")
    with studio.db.write() as session:
        session.add(project := LabelProject(name="votes", mode="pairs", settings={}, dataset_id=prompts.id))
        session.flush()
        session.add(first := _exported(prompts, project, 1))
        session.flush()
    with studio.db.write() as session:
        stored = session.get_one(lineage.Job, trained.job_id)
        run = {**stored.spec["run"], "dataset": {**stored.spec["run"]["dataset"], "id": first.id}}
        stored.spec = {**stored.spec, "run": run}
        base = registry.find(studio, "tiny-base")
        of_two = {"project": project.id, "before": base.id, "after": trained.id, "number": 1}
        session.add(round := LabelProject(name="votes r1", mode="pairs", settings={}, round=of_two))
        session.flush()
    with studio.db.write() as session:
        session.add(_exported(prompts, project, 2))
    second = train(studio, measured=False, dataset="votes@2", model="poet", name="poet two")
    measured = evaluated(studio, models=["tiny-base", "poet"])
    found = lineage.of(studio, trained)
    assert found.more == 0 and found.nodes[0].key == ("model", trained.id)
    assert edges(found) >= {
        ("dataset sums@1", "project votes"),
        ("project votes", "dataset votes@1"),
        ("dataset votes@1", "run poet"),
        ("model tiny-base", "run poet"),
        ("run poet", "model poet"),
        ("model tiny-base", "round votes r1"),
        ("model poet", "round votes r1"),
        ("round votes r1", "dataset votes@2"),
        ("project votes", "dataset votes@2"),
        ("dataset votes@2", "run poet two"),
        ("model poet", "run poet two"),
        ("run poet two", "model poet-two"),
        ("model poet", f"evaluation {measured.name}"),
        ("model tiny-base", f"evaluation {measured.name}"),
    }
    assert ("dataset sums@1", "dataset votes@1") not in edges(found), "the votes stand between them"
    others = {edge for edge in edges(found) if not edge[1].startswith("evaluation")}
    assert edges(lineage.of(studio, second)) == others, (
        "one family, whoever is asked; what others reached is theirs"
    )
    drawn = str(lineage_graph.drawn(found, ("model", trained.id), "en"))
    for place in (
        f"/label?project={project.id}", f"/label?project={round.id}", f"/dataset?id={first.id}",
        f"/evaluate?job={measured.id}", "/models?model=poet-two",
    ):  # fmt: skip
        assert f'href="{place}"' in drawn
    assert "SFT" in drawn and "Blind comparison" in drawn


def test_what_a_base_was_besides_is_not_told_of_its_children(studio: Studio, trained: Model) -> None:
    """Measured after another training, and compared in another loop."""
    base, other = registry.find(studio, "tiny-base"), train(studio, measured=False, name="other")
    evaluated(studio, models=["tiny-base", "other"])
    with studio.db.write() as session:
        round = {"project": 1, "before": base.id, "after": other.id, "number": 1}
        session.add(LabelProject(name="elsewhere", mode="pairs", settings={}, round=round))
    assert {node.kind for node in lineage.of(studio, trained).nodes} == {"model", "run", "dataset"}
    for one in (base, other):
        assert {node.kind for node in lineage.of(studio, one).nodes} >= {"round", "evaluation"}


def _exported(prompts: Dataset, project: LabelProject, version: int) -> Dataset:
    """What votes are exported to, without the file: a lineage is told from rows."""
    return Dataset(
        name="votes", version=version, shape=prompts.shape, rows=prompts.rows, rejected=[],
        sha256=prompts.sha256, file=prompts.file, bytes=prompts.bytes, source="label:votes", mapping={},
        operation=OPERATION, parents=[prompts.id], made={"options": {"project": project.name}},
    )  # fmt: skip


def test_boxes_follow_their_edges_and_data_stands_right_before_its_run(
    studio: Studio, trained: Model
) -> None:
    imported_later = imported(
        studio, "more", (chat(f"{n}!", str(n)) for n in range(20)), Path(studio.settings.home)
    )
    train(studio, measured=False, dataset="more", model="poet", name="poet two")
    found = lineage.of(studio, trained)
    places = lineage_graph._places(found)
    assert all(places[one][0] < places[other][0] for one, other in found.edges)
    assert len(set(places.values())) == len(places), "no box lies on another"
    run = next(node for node in found.nodes if node.kind == "run" and node.name == "poet two")
    step = lineage_graph.WIDTH + lineage_graph.ACROSS
    assert places["dataset", imported_later.id][0] == places[run.key][0] - step
    chain = [("model", registry.find(studio, "tiny-base").id), ("run", trained.job_id), ("model", trained.id)]
    assert len({places[key][1] for key in chain}) == 1, "the way of a model is a straight line"


def test_an_archived_model_is_told_as_one(studio: Studio, trained: Model) -> None:
    base = registry.find(studio, "tiny-base")
    marks.change(studio, MODELS, [base.id], archived=True)
    found = lineage.of(studio, trained)
    assert [node.name for node in found.nodes if node.archived] == ["tiny-base"]
    assert "Model · archived" in lineage_graph.drawn(found, ("model", trained.id), "en")
    assert "模型 · 已归档" in lineage_graph.drawn(found, ("model", trained.id), "zh-CN")


def test_of_many_evaluations_the_newest_are_drawn(studio: Studio, trained: Model) -> None:
    measured = [evaluated(studio, models=["poet", "tiny-base"]).id for _ in range(lineage.EVALUATIONS + 2)]
    found = lineage.of(studio, trained)
    shown = {node.id for node in found.nodes if node.kind == "evaluation"}
    assert shown == set(measured[-lineage.EVALUATIONS :])
    assert found.more == 2


def test_a_large_family_is_cut_and_a_circle_ends(studio: Studio, trained: Model) -> None:
    with studio.db.write() as session:
        for n in range(lineage.MOST + 5):
            session.add(Model(name=f"child-{n}", kind="full", path=f"/x/{n}", parent_id=trained.id))
    found = lineage.of(studio, trained)
    # Beside the children the run, its data and the base.
    assert len(found.nodes) == lineage.MOST and found.more == lineage.MOST + 5 + 4 - lineage.MOST
    assert f"{found.more} more" in lineage_graph.drawn(found, ("model", trained.id), "en")
    with studio.db.write() as session:
        child = next(node for node in found.nodes if node.name.startswith("child"))
        session.get_one(Model, trained.id).parent_id = child.id
    found = lineage.of(studio, trained)
    assert found.nodes[0].key == ("model", trained.id)
    assert "ts-graph" in lineage_graph.drawn(found, ("model", trained.id), "en")
