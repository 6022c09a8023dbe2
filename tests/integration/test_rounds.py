"""A round as it happens: two miniature models answer held-out prompts, people judge, and the votes flow back."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import arena, exports, making, outcomes, projects, rounds
from studio_core.labeling.making import NewPrompt
from studio_core.models import registry
from tests.integration.miniature import miniature_model
from tests.integration.test_generation import made_here
from tests.integration.test_making import ingest, of
from tests.unit.studio_core.labeling import comparing
from tests.unit.studio_core.labeling.comparing import judged_at_once


def prompts(count: int) -> list[NewPrompt]:
    return [NewPrompt([{"role": "user", "content": f"say {'a' * (n % 7)} {n}"}]) for n in range(count)]


def changed(studio: Studio, model: Model, folder: Path) -> str:
    """A folder with the same model, its weights moved a little."""
    miniature_model(folder)
    moved = AutoModelForCausalLM.from_pretrained(model.path)
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in moved.parameters():
            weights += 0.05 * torch.randn_like(weights)
    moved.save_pretrained(folder)
    return str(folder)


def test_two_models_are_compared_on_held_out_prompts_and_their_votes_flow_back(studio: Studio) -> None:
    home = studio.settings.models
    tiny = registry.add(studio, miniature_model(home / "tiny").path)
    sources = [AnswerSource(model=tiny.name, max_tokens=6, temperature=t) for t in (1.0, 1.5)]
    root, job = making.create(studio, "p", prompts(40), sources, settings={"held_out": 0.4})
    made_here(studio, job)
    ingest(studio, job)
    judged_at_once(studio, root, lambda item: "a")
    dataset, *rest = exports.make_dataset(studio, root.id)
    assert not rest and dataset.rows == len(of(studio, root.id))

    run, after = comparing.trained(studio, "tuned", tiny, dataset)
    with studio.db.write() as session:
        session.get_one(Model, after.id).path = changed(studio, tiny, home / "tuned")
    one, job = rounds.compare(studio, root.id, run, limit=8)
    assert job is not None
    made_here(studio, job)
    ingest(studio, job)
    items = of(studio, one.id)
    counts = projects.get(studio, one.id).counts
    assert len(items) == counts["added"] > 4 and sum(counts.values()) == 8
    assert all({answer["model"] for answer in item.answers} == {tiny.id, after.id} for item in items)
    trained_on = {prompt.messages[0]["content"] for prompt in making.prompts_of(studio, root, False)}
    assert not trained_on & {item.prompt[0]["content"] for item in items}

    judged_at_once(studio, one, lambda item: "ab"[[a["model"] for a in item.answers].index(after.id)])
    found = outcomes.result(studio, projects.get(studio, one.id))
    assert (found.found.wins, found.found.losses) == (len(items), 0) and found.after == "tuned"
    assert found.identical == counts.get("identical", 0)
    second, *_ = exports.make_dataset(studio, root.id)
    assert (second.version, second.rows) == (2, dataset.rows + len(items))
    assert [game.score for game in arena.played(studio).games] in ([0.0] * len(items), [1.0] * len(items))

    # The next comparison is of other prompts, until none are left.
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.state, row.finished_at = State.SUCCEEDED, row.submitted_at
    more = rounds.more(studio, one.id, 3)
    made_here(studio, more)
    ingest(studio, more)
    assert len(list(making.prompts_of(studio, projects.get(studio, one.id)))) == 11


def test_an_arena_has_every_two_models_answer_in_turn(studio: Studio) -> None:
    home = studio.settings.models
    tiny = registry.add(studio, miniature_model(home / "one").path)
    models = [tiny, *(registry.add(studio, changed(studio, tiny, home / name)) for name in ("two", "three"))]
    project, job = arena.start(studio, [model.name for model in models], prompts(24))
    assert project.name == "arena" and projects.settings_of(project).blind
    made_here(studio, job)
    ingest(studio, job)
    strongest = models[2].id
    judged_at_once(
        studio,
        project,
        lambda item: (
            "tie" if strongest not in (m := [a["model"] for a in item.answers]) else "ab"[m.index(strongest)]
        ),
    )
    found = arena.arena(studio, [model.id for model in models])
    assert found.games == len(of(studio, project.id)) > 5
    assert found.standings[0].model == "three" and len(found.groups) == 1
