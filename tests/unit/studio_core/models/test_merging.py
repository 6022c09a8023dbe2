"""What a merge of adapters refuses before it starts, and its row in the queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.base.validation import validate
from studio_core.models import merging, registry
from studio_core.runs import kinds, queue
from studio_core.runs.spec import MergeRun, MergeSpec
from tests.unit.studio_core.models.folders import ended_job, model_folder


@pytest.fixture
def base(studio: Studio) -> Model:
    return registry.add(studio, str(model_folder(studio.settings.models / "base")))


def adapter(studio: Studio, base: Model, name: str, **config: Any) -> Model:
    job, result = ended_job(studio, base, "adapter", name)
    model = registry.register_result(studio, job, result)
    document = {"peft_type": "LORA", "r": 4, "bias": "none", **config}
    (Path(model.path) / "adapter_config.json").write_text(json.dumps(document))
    return model


def submitted(studio: Studio, *names: str, **options: Any) -> Job:
    return merging.submit(studio, MergeSpec(adapters=dict.fromkeys(names, 0.5), options=options))


def refused(studio: Studio, *names: str, **options: Any) -> StudioError:
    with pytest.raises(StudioError) as caught:
        submitted(studio, *names, **options)
    assert not queue.all_jobs(studio, kind="merge")
    return caught.value


def test_a_merge_is_a_job_that_names_everything(studio: Studio, base: Model) -> None:
    adapter(studio, base, "one")
    two = adapter(studio, registry.get(studio, "one"), "two")  # An adapter that goes on from another.
    job = merging.submit(studio, MergeSpec(adapters={"one": 0.7, str(two.id): 0.3}, options={}), key="k")
    assert merging.submit(studio, MergeSpec(adapters={"one": 0.7, "two": 0.3}), key="k").id == job.id
    run = MergeRun.model_validate(job.spec["run"])
    assert (job.kind, job.method, job.name) == ("merge", "cat", "cat-one-two")
    assert run.model.path == base.path and run.model.adapter is None
    assert [model.name for model in run.adapters] == ["one", "two"]
    assert (run.weights, run.options) == ([0.7, 0.3], {"method": "cat", "density": 0.5})


def test_fewer_than_two_are_refused(studio: Studio, base: Model) -> None:
    one = adapter(studio, base, "one")
    assert "at least two" in str(refused(studio))
    assert "one" in str(refused(studio, "one"))
    assert "at least two" in str(refused(studio, "one", str(one.id)))


def test_complete_models_and_unknown_ones_are_refused(studio: Studio, base: Model) -> None:
    adapter(studio, base, "one")
    assert refused(studio, "one", "base").key == "models.merge.no_adapter"
    assert isinstance(refused(studio, "one", "nobody"), NotFound)


def test_adapters_of_other_bases_are_refused(studio: Studio, base: Model) -> None:
    other = registry.add(studio, str(model_folder(studio.settings.models / "other")))
    adapter(studio, base, "one")
    adapter(studio, other, "two")
    assert "one on base, two on other" in str(refused(studio, "one", "two"))


@pytest.mark.parametrize("config", [{"peft_type": "IA3"}, {"peft_type": "ADALORA"}])
def test_other_kinds_of_adapters_are_refused(studio: Studio, base: Model, config: dict[str, Any]) -> None:
    adapter(studio, base, "one")
    adapter(studio, base, "two", **config)
    assert config["peft_type"] in str(refused(studio, "one", "two"))


@pytest.mark.parametrize(
    "config",
    [{"use_dora": True}, {"modules_to_save": ["score"]}, {"bias": "all"}, {"rank_pattern": {"q_proj": 2}}],
)
def test_more_than_plain_lora_is_refused(studio: Studio, base: Model, config: dict[str, Any]) -> None:
    adapter(studio, base, "one")
    adapter(studio, base, "two", **config)
    assert next(iter(config)) in str(refused(studio, "one", "two"))


@pytest.mark.parametrize("method", merging.METHODS)
def test_ranks_that_differ_are_refused_where_they_must_not(studio: Studio, base: Model, method: str) -> None:
    adapter(studio, base, "one")
    adapter(studio, base, "two", r=8)
    if method in merging.SAME_RANK:
        sentence = str(refused(studio, "one", "two", method=method))
        assert "one 4, two 8" in sentence and "svd" in sentence and "cat" in sentence
    else:
        assert submitted(studio, "one", "two", method=method).method == method


def test_what_scores_is_refused(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "rm", architectures=["LlamaForSequenceClassification"])
    scorer = registry.add(studio, str(folder))
    for name in ("one", "two"):
        adapter(studio, scorer, name)
    assert refused(studio, "one", "two").key == "models.scores_only"


@pytest.mark.parametrize("options", [{"density": 0.0}, {"density": 1.5}, {"method": "sum"}, {"ranks": 2}])
def test_options_that_cannot_be_are_refused(studio: Studio, base: Model, options: dict[str, Any]) -> None:
    for name in ("one", "two"):
        adapter(studio, base, name)
    assert isinstance(refused(studio, "one", "two", **options), BadInput)


@pytest.mark.parametrize("weight", ["much", "nan", "inf", "11"])
def test_weights_that_cannot_be_are_refused(weight: str) -> None:
    with pytest.raises(BadInput, match=r"adapters\.one"):
        validate(MergeSpec, {"adapters": {"one": weight}}, "models.merge.invalid")


def test_one_that_ended_without_a_result_is_begun_again(studio: Studio, base: Model) -> None:
    for name in ("one", "two"):
        adapter(studio, base, name)
    job, row = submitted(studio, "one", "two"), kinds.KINDS["merge"]
    with pytest.raises(Conflict):
        kinds.call(row.resume, studio, job.id)
    queue.request_stop(studio, job.id, Stop.CANCEL)
    again = kinds.call(row.resume, studio, job.id, key="k")
    assert (again.kind, again.resumes_id, again.spec) == ("merge", job.id, job.spec)
    with studio.db.write() as session:
        ended = session.get_one(Job, again.id)
        ended.state, ended.finished_at = State.SUCCEEDED, clock.now()
    with pytest.raises(Conflict):
        kinds.call(row.resume, studio, again.id)


def test_the_command_line_resumes_it_as_the_page_does(
    studio: Studio, base: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter(studio, base, "one")
    adapter(studio, base, "two")
    job = submitted(studio, "one", "two")
    queue.request_stop(studio, job.id, Stop.CANCEL)
    monkeypatch.setattr("app.cli.jobs.ensure_engine", lambda studio: None)
    words = ["jobs", "resume", str(job.id), "--json", "--home", str(studio.settings.home)]
    assert run(words) == 0
    again = queue.get(studio, json.loads(capsys.readouterr().out)["job"])
    assert (again.kind, again.resumes_id, again.state) == ("merge", job.id, State.QUEUED)
    assert run([*words, "--step", "3"]) == 2  # A merge has no checkpoints.
