"""One run in two processes, as on two GPUs, here on the CPU: started, stopped, resumed, killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from jobs.engine import tree
from jobs.engine.launcher import Launch, Liveness, LocalLauncher
from jobs.training import ranks, reward, sft, sft_kl
from studio_core.base import atomic
from studio_core.base.settings import Settings
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from tests import forked
from tests.conftest import wait_until
from tests.integration.miniature import Rows, chats, events, losses, make_run, miniature_model, pairs, said

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

SHARDS = {"PYTHONPATH": str(Path(__file__).parent / "fsdp_on_cpu")}


def environment(count: int) -> dict[str, str]:
    return {**os.environ, "TUNESMITH_DEVICE": "cpu", "OMP_NUM_THREADS": "1", "TUNESMITH_RANKS": str(count)}


def started(run_dir: Path, python: str, **more: str) -> subprocess.Popen[bytes]:
    """A launcher with two ranks, each of them begun by ``python``."""
    with open(run_dir / run_folder.LOG, "wb") as log:
        env = {**environment(2), "PYTHON_EXEC": python, **more}  # The launcher is told it by this name.
        return subprocess.Popen([python, "-m", "jobs.worker", str(run_dir)], env=env, stdout=log, stderr=log)


def carried_out(run_dir: Path, python: str, **more: str) -> Path:
    assert started(run_dir, python, **more).wait(240) == 0, run_folder.log_tail(run_dir)
    return run_dir


def trained(run_dir: Path) -> Path:
    """By one process: this one, which has imported all that a training needs."""
    method = str((atomic.read_json(run_dir / run_folder.SPEC) or {})["spec"]["method"])
    {"sft": sft.main, "sft-kl": sft_kl.main, "reward": reward.main}[method](run_dir)
    return run_dir


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    [file] = (run_dir / "model").glob("*.safetensors")
    return load_file(file)


def evenly_long(count: int) -> Rows:
    """With answers of one length, a mean of two halves is the mean of the whole."""
    asked = [f"say {'a' * (1 + n % 5)}" for n in range(count)]
    return [{"messages": [said("user", question), said("assistant", "bbbb")]} for question in asked]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


@pytest.fixture(scope="module")
def sharding_python() -> Iterator[str]:
    """Begins ranks that may have a model in shards, although they compute on the CPU."""
    with forked.python("jobs.worker", **SHARDS, **{ranks.TEAM: "2"}) as program:
        yield program


def test_two_ranks_learn_what_one_does_with_twice_the_batch_and_go_on(
    tmp_path: Path, model: ResolvedModel, prepared_python: str
) -> None:
    rows = evenly_long(40)  # Of which 8 are held out, so that every batch is whole.
    given = {"save_steps": 3, "eval_share": 0.2}
    two = carried_out(make_run(tmp_path / "two", model, rows, batch_size=4, **given), prepared_python)
    one = trained(make_run(tmp_path / "one", model, rows, batch_size=8, **given))

    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert losses(two)[1] > 2 * losses(two)[max(losses(two))]  # type: ignore[operator]
    for name, weight in weights(one).items():
        torch.testing.assert_close(weights(two)[name], weight, rtol=1e-3, atol=1e-3)

    [config] = events(two, "config")
    assert (config["values"]["effective_batch"], config["values"]["gpus"]) == (8, 2)
    assert [event["seq"] for event in events(two)] == list(range(1, len(events(two)) + 1))
    assert [event["answer"] for event in events(two, "sample")] == [
        event["answer"] for event in events(one, "sample")
    ]

    checkpoint = two / run_folder.CHECKPOINTS / "checkpoint-6"
    assert len(list(checkpoint.glob("rng_state_*"))) == 2
    resumed = make_run(tmp_path / "resumed", model, rows, batch_size=4, resume_from=checkpoint, **given)
    carried_out(resumed, prepared_python)
    assert losses(resumed) == {step: loss for step, loss in losses(two).items() if step > 6}
    assert all(torch.equal(weights(resumed)[name], weight) for name, weight in weights(two).items())


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_ranks_make_the_reward_model_that_one_does(
    tmp_path: Path, model: ResolvedModel, request: pytest.FixtureRequest, parallel: str
) -> None:
    rows = [
        {**row, "chosen": [said("assistant", "good!")], "rejected": [said("assistant", "bad!!")]}
        for row in pairs(43)
    ]
    given = {"method": "reward", "max_steps": 4, "eval_share": 0.25, "prompts": ()}
    sharded = parallel == "fsdp"
    python = request.getfixturevalue("sharding_python" if sharded else "prepared_python")
    two = make_run(tmp_path / "two", model, rows, batch_size=4, parallel=parallel, gpus=2, **given)
    one = make_run(tmp_path / "one", model, rows, batch_size=8, **given)
    carried_out(two, python, **(SHARDS if sharded else {}))
    trained(one)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert weights(two).keys() == weights(one).keys()
    for name, weight in weights(one).items():
        torch.testing.assert_close(weights(two)[name], weight, rtol=1e-3, atol=1e-3)
    told = [[event["values"] for event in events(run_dir, "notice")] for run_dir in (one, two)]
    assert told[0] == told[1] and told[0][0]["rows"] == 11


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_ranks_stay_near_the_base_and_end_early_as_one_does(
    tmp_path: Path, model: ResolvedModel, request: pytest.FixtureRequest, parallel: str
) -> None:
    """With a reference beside the model that learns; no loss falls by 10, so the first look stays the best."""
    given = {
        "method": "sft-kl", "kl_coef": 1.0, "warmup": 0.0, "max_steps": 8, "save_steps": 2, "eval_share": 0.2,
        "early_stopping_patience": 1, "early_stopping_threshold": 10.0,
    }  # fmt: skip
    sharded = parallel == "fsdp"
    python = request.getfixturevalue("sharding_python" if sharded else "prepared_python")
    rows = evenly_long(40)
    two = make_run(tmp_path / "two", model, rows, batch_size=4, parallel=parallel, gpus=2, **given)
    carried_out(two, python, **(SHARDS if sharded else {}))
    one = trained(make_run(tmp_path / "one", model, rows, batch_size=8, **given))
    assert losses(two) == pytest.approx(losses(one), rel=1e-4) and max(losses(two)) == 4
    told = [[event["values"]["best"] for event in events(run_dir, "notice")] for run_dir in (one, two)]
    assert told == [[2], [2]]
    for name, weight in weights(one).items():
        torch.testing.assert_close(weights(two)[name], weight, rtol=1e-3, atol=1e-3)


def test_stop_and_save_ends_both_ranks_at_one_step(
    tmp_path: Path, model: ResolvedModel, prepared_python: str
) -> None:
    run_dir = make_run(
        tmp_path / "run", model, pairs(24), method="dpo", tuning="lora", lora_dropout=0.1, max_steps=500,
        save_steps=1000, gradient_accumulation=2, batch_size=2,
    )  # fmt: skip
    worker = started(run_dir, prepared_python)
    wait_until(lambda: len(losses(run_dir)) >= 3 or worker.poll() is not None, what="three steps")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(240) == 0, run_folder.log_tail(run_dir)

    [result] = events(run_dir, "result")
    assert result["state"] == "stopped" and 3 <= result["step"] < 500
    checkpoint = run_folder.newest_complete(run_dir)
    assert checkpoint is not None and checkpoint.step == result["step"]
    assert (run_dir / "model" / "adapter_model.safetensors").is_file()


def test_in_shards_the_model_learns_the_same_is_saved_whole_and_goes_on(
    tmp_path: Path, model: ResolvedModel, sharding_python: str
) -> None:
    """FSDP as it will be on GPUs, but with gloo on the CPU. It goes on in the middle of a later epoch."""
    given = {"max_steps": 6, "save_steps": 4, "gradient_accumulation": 2, "batch_size": 2}
    rows = evenly_long(24)
    whole = make_run(tmp_path / "whole", model, rows, parallel="fsdp", **given)
    carried_out(whole, sharding_python, **SHARDS)
    plain = trained(make_run(tmp_path / "plain", model, rows, **{**given, "batch_size": 4}))
    assert losses(whole) == pytest.approx(losses(plain), rel=1e-4)
    assert [event["answer"] for event in events(whole, "sample")] == [
        event["answer"] for event in events(plain, "sample")
    ]
    assert weights(whole).keys() == weights(plain).keys()
    for name, weight in weights(plain).items():
        torch.testing.assert_close(weights(whole)[name], weight, rtol=1e-3, atol=1e-3)

    checkpoint = whole / run_folder.CHECKPOINTS / "checkpoint-4"
    assert (checkpoint / "pytorch_model_fsdp.bin").is_file()
    resumed = make_run(tmp_path / "resumed", model, rows, parallel="fsdp", resume_from=checkpoint, **given)
    carried_out(resumed, sharding_python, **SHARDS)
    assert losses(resumed) == {step: loss for step, loss in losses(whole).items() if step > 4}
    assert all(torch.equal(weights(resumed)[name], weight) for name, weight in weights(whole).items())


def test_the_error_of_the_rank_that_failed_first_is_told_once(tmp_path: Path, prepared_python: str) -> None:
    gone = ResolvedModel(name="gone", path=str(tmp_path / "nowhere"))
    run_dir = make_run(tmp_path / "run", gone, chats(4))
    assert started(run_dir, prepared_python).wait(240) == 1
    [error] = events(run_dir, "error")
    assert error["seq"] == len(events(run_dir)) and "nowhere" in error["message"]


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalLauncher]:
    for name, value in environment(2).items():
        monkeypatch.setenv(name, value)
    settings = Settings(home=tmp_path / "home", warm_workers=0)
    settings.logs.mkdir(parents=True)
    launcher = LocalLauncher(settings)
    yield launcher
    launcher.close()


def test_whatever_is_killed_no_rank_outlives_the_run(
    tmp_path: Path, model: ResolvedModel, launcher: LocalLauncher
) -> None:
    """The ranks are in sessions of their own. A slot is free once the launcher says ENDED."""
    for victim, signalled in (("launcher", "SIGKILL"), ("rank", "SIGKILL")):
        run_dir = make_run(tmp_path / victim, model, chats(24), max_steps=100_000, save_steps=50)
        launcher.start(Launch(run_dir, "claim", None, 20.0, "", {}))
        wait_until(lambda run_dir=run_dir: len(losses(run_dir)) >= 3, what="three steps")
        record = atomic.read_json(run_dir / run_folder.SUPERVISOR)
        assert record is not None
        family = tree.members(record["tree"], record["pid"])
        leaders = {pid for pid in family if os.getsid(pid) == pid and _parent(pid) in family}
        of_ranks = {
            pid for pid in leaders if _parent(pid) not in leaders
        }  # Not those that render for a rank.
        assert len(of_ranks) == 2
        [worker] = {_parent(pid) for pid in of_ranks}
        os.kill(worker if victim == "launcher" else min(of_ranks), signal.SIGKILL)

        wait_until(lambda run_dir=run_dir: launcher.poll(run_dir) is Liveness.ENDED, what="its end")
        assert tree.members(record["tree"]) == set()
        end = atomic.read_json(run_dir / run_folder.EXIT)
        assert end is not None and end["signal"] == signalled, end
        assert not events(run_dir, "result")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_what_is_asked_of_accelerate() -> None:
    """FSDP needs GPUs; what is handed over for it does not."""
    given = ranks._arguments(Path("/run"), 4, "fsdp")
    assert given.use_fsdp and not given.multi_gpu and given.num_processes == 4
    assert (given.fsdp_version, given.fsdp_state_dict_type) == ("2", "FULL_STATE_DICT")
    assert given.training_script == "jobs.worker" and given.training_script_args == ["/run"]
    given = ranks._arguments(Path("/run"), 2, "deepspeed")
    assert given.multi_gpu and not given.use_fsdp
