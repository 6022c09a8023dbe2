"""Twins in llama.cpp: the same answers as the decoding loop's, or a reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.generation import llama_cpp, twin_lane, twins
from jobs.generation.models import Models, Opened
from jobs.generation.sides import Side, answer
from jobs.generation.turns import Desk
from jobs.generation.twin import Twin
from jobs.generation.twins import Later, Twins, compared
from studio_core.base.errors import StudioError
from studio_core.generation.sampling import Sampling, greedy
from studio_core.runs.spec import ResolvedModel
from tests.conftest import wait_until
from tests.unit.jobs.generation.small_models import save_llama

QUESTION = [{"role": "user", "content": "Where is the river?"}]
OTHER = [*QUESTION, {"role": "assistant", "content": "There."}, {"role": "user", "content": "Größe 你好?"}]


def resolved(folders: dict[str, Path], name: str) -> ResolvedModel:
    adapter = None if name in ("base", "other") else str(folders[name])
    base = "other" if name == "other" else "base"
    return ResolvedModel(name=name, path=str(folders[base]), adapter=adapter)


@contextmanager
def at_once() -> Iterator[bool]:
    yield True


def maker(folder: Path, wanted: Any = lambda: False) -> Twins:
    return Twins(folder, at_once, wanted)


@pytest.fixture(autouse=True)
def any_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a miniature's few microseconds may be anything: what is tried here is what it answers."""
    monkeypatch.setattr(twins, "LEAST_GAIN", 0.0)
    monkeypatch.setattr(twins, "rows_at_once", lambda gain: 4)


def with_twin(models: Models, model: ResolvedModel, folder: Path) -> Opened:
    opened = models.open(model)
    opened.base.twins[opened.adapter] = maker(folder).made(opened, model)
    return opened


def run(models: Models, sides: list[Side], sampling: Sampling, **more: Any) -> list[dict[str, Any]]:
    """Events without what tells who computed them and how long."""
    dropped = ("seconds", "engine", "no_engine", "logprobs")
    events = [event for event in answer(models, sides, sampling, **more) if "state" not in event]
    return [{name: value for name, value in event.items() if name not in dropped} for event in events]


def sorted_by_side(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    keys = sorted({(event["side"], event.get("which", 0)) for event in events})
    return [[e for e in events if (e["side"], e.get("which", 0)) == key] for key in keys]


@pytest.mark.parametrize("name", ["base", "lora", "dora", "ia3", "pissa", "layernorm"])
@pytest.mark.parametrize(
    "sampling",
    [
        greedy(40),
        Sampling(temperature=1.0, top_p=1.0, seed=3, max_tokens=40),
        Sampling(temperature=0.8, top_p=0.9, top_k=20, seed=5, max_tokens=40, stop=("x", "的")),
        Sampling(temperature=1.2, seed=8, max_tokens=40, n=3),
        Sampling(max_tokens=4096),
    ],
    ids=["greedy", "whole", "cut", "three", "to the end of the context"],
)
def test_an_answer_is_the_loops(
    folders: dict[str, Path], tmp_path: Path, name: str, sampling: Sampling
) -> None:
    model = resolved(folders, name)
    wanted = run(Models("cpu"), [Side(model, OTHER)], sampling)
    models = Models("cpu")
    assert with_twin(models, model, tmp_path).twin
    got = list(answer(models, [Side(model, OTHER)], sampling))
    assert {event["engine"].split()[0] for event in got if event.get("done")} == {"llama.cpp"}
    assert sorted_by_side(run(models, [Side(model, OTHER)], sampling)) == sorted_by_side(wanted)


def test_log_probabilities_are_the_models(folders: dict[str, Path], tmp_path: Path) -> None:
    model = resolved(folders, "lora")
    sampling = greedy(20, logprobs=True, top_logprobs=3)

    def told(models: Models) -> list[Any]:
        events = answer(models, [Side(model, QUESTION)], sampling)
        return [token for event in events for token in event.get("logprobs", [])]

    models = Models("cpu")
    with_twin(models, model, tmp_path)
    for one, other in zip(told(Models("cpu")), told(models), strict=True):
        assert one["token"] == other["token"] and other["logprob"] == pytest.approx(one["logprob"], abs=1e-3)
        assert [t["token"] for t in one["top_logprobs"]] == [t["token"] for t in other["top_logprobs"]]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """With two of them a second side is computed beside the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, seed=2, max_tokens=30),
        Sampling(temperature=1.0, seed=2, max_tokens=30, n=3, stop=("e", "的")),
        Sampling(temperature=0.7, top_k=40, seed=2, max_tokens=30, logprobs=True, top_logprobs=2),
    ],
)
def test_sides_with_twins_and_without_answer_beside_each_other(
    folders: dict[str, Path], tmp_path: Path, threads: int, sampling: Sampling
) -> None:
    sides = [Side(resolved(folders, name), QUESTION) for name in ("base", "lora", "other", "second")]
    wanted = sorted_by_side(run(Models("cpu"), sides, sampling))
    models = Models("cpu")
    for side in sides[:3]:
        with_twin(models, side.model, tmp_path)
    assert sorted_by_side(run(models, sides, sampling)) == wanted


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_what_is_computed_ahead_ends_with_its_answer(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    models, reads, over = Models("cpu"), list[str](), threading.Event()
    sides = [Side(resolved(folders, name), QUESTION) for name in ("base", "lora")]
    for side in sides:
        with_twin(models, side.model, tmp_path)
    read, run_ahead = llama_cpp.Context.read, twin_lane._Ahead.run

    def counted(context: llama_cpp.Context, *given: Any) -> None:
        reads.append(threading.current_thread().name)
        read(context, *given)

    def runs(ahead: Any) -> None:
        run_ahead(ahead)
        over.set()

    monkeypatch.setattr(llama_cpp.Context, "read", counted)
    monkeypatch.setattr(twin_lane._Ahead, "run", runs)
    seen: list[dict[str, Any]] = []
    for event in answer(models, sides, greedy(100), cancelled=lambda: sum(e["side"] for e in seen) > 5):
        seen.append(event)
    assert over.wait(60)
    [tokens] = [event["tokens"] for event in seen if event.get("done") and event["side"] == 1]
    ahead = [name for name in reads if name.startswith("llama.cpp")]
    assert 0 < tokens <= len(ahead) <= tokens + twin_lane._MOST_AHEAD + 1 < 100
    # Nobody takes the last of it: whoever asks next does not wait.
    over.clear()
    pieces = answer(models, sides, greedy(100))
    next(pieces)
    pieces.close()
    assert over.wait(60)


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_a_pass_that_fails_beside_others_is_told_of_its_side(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    models, read = Models("cpu"), llama_cpp.Context.read
    sides = [Side(resolved(folders, name), QUESTION) for name in ("base", "lora")]
    for side in sides:
        with_twin(models, side.model, tmp_path)

    def fails(context: llama_cpp.Context, *given: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StudioError("chat.llama_cpp_failed", code=-3)
        read(context, *given)

    monkeypatch.setattr(llama_cpp.Context, "read", fails)
    events = list(answer(models, sides, greedy(5)))
    assert "-3" in next(event["error"] for event in events if event["side"] == 1 and "error" in event)
    assert next(event for event in events if event["side"] == 0 and event.get("done"))["tokens"] == 5


def test_more_rows_than_it_computes_faster_are_the_loops(folders: dict[str, Path], tmp_path: Path) -> None:
    model, models = resolved(folders, "base"), Models("cpu")
    with_twin(models, model, tmp_path)
    for n, by_twin in ((4, True), (5, False)):
        events = answer(models, [Side(model, QUESTION)], Sampling(n=n, max_tokens=3))
        assert all(("engine" in event) == by_twin for event in events if event.get("done"))


def test_one_side_is_stopped_and_all_are_cancelled(folders: dict[str, Path], tmp_path: Path) -> None:
    models = Models("cpu")
    sides = [Side(resolved(folders, name), QUESTION) for name in ("base", "lora")]
    for side in sides:
        with_twin(models, side.model, tmp_path)
    seen: list[dict[str, Any]] = []
    for event in answer(
        models,
        sides,
        greedy(100),
        cancelled=lambda: len(seen) > 25,
        stopped=lambda side: side == 0 and len(seen) > 8,
    ):
        seen.append(event)
    ends = {event["side"]: event for event in seen if event.get("done")}
    assert ends[0]["reason"] == ends[1]["reason"] == "cancelled"
    assert ends[0]["tokens"] < ends[1]["tokens"] < 100


def test_what_is_the_same_is_compared_once(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, models = resolved(folders, "base"), Models("cpu")
    with_twin(models, model, tmp_path)
    monkeypatch.setattr(twins, "compared", None)
    again = with_twin(Models("cpu"), model.model_copy(update={"name": "another"}), tmp_path)
    assert again.twin and again.twin.most == 4
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".gguf", ".json"]


def test_another_model_under_its_name_is_refused_and_that_is_kept(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that computes anything else never answers anybody."""
    model, models = resolved(folders, "base"), Models("cpu")
    monkeypatch.setattr(twins, "Weights", lambda _: REAL(resolved(folders, "other")))
    opened = models.open(model)
    for _ in range(2):
        with pytest.raises(StudioError) as refused:
            maker(tmp_path).made(opened, model)
        assert refused.value.key == "chat.twin_differs"
    assert not list(tmp_path.glob("*.gguf"))
    [verdict] = tmp_path.glob("*.json")
    assert json.loads(verdict.read_text())["refusal"]["key"] == "chat.twin_differs"


REAL = twins.Weights


def test_chances_that_are_apart_are_refused(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, models = resolved(folders, "base"), Models("cpu")
    twin = with_twin(models, model, tmp_path).twin
    assert twin
    monkeypatch.setattr(twins, "CLOSE", 1e-12)
    with pytest.raises(StudioError) as refused:
        compared(models.open(model), twin)
    assert refused.value.key == "chat.twin_apart"


def test_a_comparison_gives_way_to_a_question(folders: dict[str, Path], tmp_path: Path) -> None:
    model, models = resolved(folders, "base"), Models("cpu")
    opened = models.open(model)
    with pytest.raises(Later):
        maker(tmp_path, lambda: True).made(opened, model)
    assert opened.twin is None and opened.why_no_twin is None
    assert maker(tmp_path).made(opened, model).most == 4


@pytest.mark.parametrize(
    ("name", "key"),
    [("prompt", "twin_adapter"), ("bottleneck", "twin_adapter"), ("saved", "")],
)
def test_adapters_that_cannot_be_merged_say_so(
    folders: dict[str, Path], tmp_path: Path, name: str, key: str
) -> None:
    model, models = resolved(folders, name), Models("cpu")
    if not key:  # A module that was trained whole is merged as it is.
        assert with_twin(models, model, tmp_path).twin
        return
    with pytest.raises(StudioError) as refused:
        with_twin(models, model, tmp_path)
    assert refused.value.key == f"chat.{key}"


def test_what_llama_cpp_does_not_compute_says_so(
    tmp_path: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    peculiar = save_llama(tmp_path / "peculiar")
    config = json.loads((peculiar / "config.json").read_text())
    (peculiar / "config.json").write_text(json.dumps({**config, "hidden_act": "gelu"}))
    model = ResolvedModel(name="peculiar", path=str(peculiar))
    with pytest.raises(StudioError) as refused:
        with_twin(Models("cpu"), model, tmp_path / "kept")
    assert refused.value.key == "chat.twin_setting" and "gelu" in refused.value.sentence()

    monkeypatch.setattr(twins, "MOST_WEIGHTS", 100)
    with pytest.raises(StudioError) as large:
        with_twin(Models("cpu"), resolved(folders, "base"), tmp_path / "kept")
    assert large.value.key == "chat.twin_large"


def test_old_files_make_room(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins, "MOST_KEPT", 1)
    models = Models("cpu")
    for name in ("base", "other"):
        with_twin(models, resolved(folders, name), tmp_path)
    assert len(list(tmp_path.glob("*.gguf"))) == 1 and len(list(tmp_path.glob("*.json"))) == 2


def test_a_desk_answers_at_once_and_by_the_twin_when_it_is_there(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    desk = Desk(Models("cpu"), twins=tmp_path)
    model = resolved(folders, "base")

    def ask() -> list[dict[str, Any]]:
        return list(desk.answer([Side(model, QUESTION)], greedy(12), lambda: False))

    first = ask()
    assert "engine" not in first[-1]
    wait_until(lambda: desk.models.open(model).twin is not None, what="the twin is there")
    again = ask()
    assert isinstance(desk.models.open(model).twin, Twin) and again[-1]["engine"].startswith("llama.cpp")
    assert [e["text"] for e in first if "text" in e] == [e["text"] for e in again if "text" in e]

    next_day = Desk(Models("cpu"), twins=tmp_path)
    next_day.preload([model, resolved(folders, "other")])
    assert next_day.models.open(model).twin, "what was compared before answers from the first question on"
    assert not next_day.models.open(resolved(folders, "other")).base.twins, "nobody waits for a comparison"


def test_it_can_be_switched_off(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_LLAMA_CPP", "0")
    models, model = Models("cpu"), resolved(folders, "base")
    models.open(model)
    made = maker(tmp_path)
    made.consider(models, [model])
    assert made._thread is None and not models.open(model).base.twins


def test_a_pass_that_fails_is_told_and_the_loop_answers_the_next(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, models = resolved(folders, "base"), Models("cpu")
    base = with_twin(models, model, tmp_path).base

    def fails(*_: Any, **__: Any) -> None:
        raise StudioError("chat.llama_cpp_failed", code=-3)

    with monkeypatch.context() as broken:
        broken.setattr(llama_cpp.Context, "read", fails)
        [event] = answer(models, [Side(model, QUESTION)], greedy(5))
    assert "-3" in event["error"]
    after = list(answer(models, [Side(model, QUESTION)], greedy(5)))
    assert after[-1]["no_engine"]["key"] == "chat.llama_cpp_failed" and models.open(model).base is base


def test_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    llama_cpp.library.cache_clear()
    monkeypatch.setattr(llama_cpp, "_CONTEXT_DEFAULTS", b"other")
    with pytest.raises(StudioError) as refused:
        llama_cpp.library()
    assert refused.value.key == "chat.llama_cpp_other"
    monkeypatch.setattr(llama_cpp, "PACKAGE", "not_there_at_all")
    with pytest.raises(StudioError) as missing:
        llama_cpp.library()
    assert missing.value.key == "chat.llama_cpp_missing"


def test_a_long_prompt_is_read_in_parts(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "long", context=2048)
    model = ResolvedModel(name="long", path=str(folder))
    asked = [{"role": "user", "content": "The river is long. " * 70}]
    sampling = Sampling(temperature=1.0, seed=1, max_tokens=30, n=2)
    wanted = run(Models("cpu"), [Side(model, asked)], sampling)
    models = Models("cpu")
    with_twin(models, model, tmp_path / "kept")
    assert sorted_by_side(run(models, [Side(model, asked)], sampling)) == sorted_by_side(wanted)
