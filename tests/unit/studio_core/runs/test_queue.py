from __future__ import annotations

import multiprocessing
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError

from studio_core.base import settings
from studio_core.base.clock import now
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import TERMINAL, TRANSITIONS, Cause, State, Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Device, Job
from studio_core.runs import order, queue
from studio_core.runs.slots import slot_kind


def submit(studio: Studio, **given: object) -> Job:
    return queue.submit(studio, **{"kind": "train", "name": "x", "spec": {}, **given})  # type: ignore[arg-type]


def slots(*ids: str) -> list[Device]:
    return [Device(id=id, kind=id.partition(":")[0], label=id, memory=0) for id in ids]


def claimed(studio: Studio) -> Job:
    queue.set_devices(studio, slots("cpu:0"))
    job = queue.claim(studio, submit(studio).id, ["cpu:0"])
    assert job is not None
    return job


def changes(studio: Studio, job: Job) -> list[tuple[str | None, str]]:
    return [(event.before, event.after) for event in queue.events(studio, job.id)]


def test_the_same_key_gives_the_same_job(studio: Studio) -> None:
    first = submit(studio, idempotency_key="click")
    assert submit(studio, idempotency_key="click").id == first.id
    assert submit(studio).id != submit(studio).id
    assert changes(studio, first) == [(None, "queued")]


def test_every_job_has_a_folder_of_its_own(studio: Studio) -> None:
    assert submit(studio).run_dir != submit(studio).run_dir


def test_a_job_that_does_not_exist(studio: Studio) -> None:
    with pytest.raises(NotFound, match="no job 7"):
        queue.get(studio, 7)
    with pytest.raises(NotFound, match="no job 7"):
        queue.request_stop(studio, 7, Stop.CANCEL)


def test_jobs_wait_in_order(studio: Studio) -> None:
    jobs = [submit(studio) for _ in range(3)]
    assert [job.id for job in queue.waiting(studio)] == [job.id for job in jobs]
    assert [order.position(studio, job) for job in jobs] == [1, 2, 3]


def test_a_claim_takes_job_and_device_together(studio: Studio) -> None:
    job = claimed(studio)
    other = submit(studio)
    assert (job.state, queue.devices(studio)[0].job_id) == (State.STARTING, job.id)
    assert queue.claim(studio, other.id, ["cpu:0"]) is None
    assert queue.claim(studio, job.id, ["cpu:0"]) is None
    assert queue.claim(studio, other.id, ["gpu:9"]) is None
    assert queue.get(studio, other.id).state == State.QUEUED


def claim_all(home: str, ids: Sequence[int], device: str) -> list[int]:
    studio = open_studio(settings.load(home=home))
    won = []
    for id in ids:
        job = queue.claim(studio, id, [device])
        if job:
            won.append(id)
            queue.mark_running(studio, job)
            queue.finish(studio, job, State.SUCCEEDED)
    studio.close()
    return won


def test_processes_that_claim_at_once_get_each_job_once(studio: Studio) -> None:
    queue.set_devices(studio, slots("cpu:0", "cpu:1"))
    ids = [submit(studio).id for _ in range(60)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        home = str(studio.settings.home)
        won = pool.starmap(claim_all, [(home, ids, "cpu:0"), (home, ids, "cpu:1")])
    assert sorted(won[0] + won[1]) == ids


def test_a_job_that_did_not_begin_goes_back_to_its_place(studio: Studio) -> None:
    job = claimed(studio)
    later = submit(studio)
    assert queue.release(studio, job)
    assert [waiting.id for waiting in queue.waiting(studio)] == [job.id, later.id]
    assert queue.devices(studio)[0].job_id is None
    again = queue.claim(studio, job.id, ["cpu:0"])
    assert again is not None and again.claim_token != job.claim_token


def test_a_lost_claim_changes_nothing(studio: Studio) -> None:
    old = claimed(studio)
    queue.release(studio, old)
    queue.claim(studio, old.id, ["cpu:0"])
    assert not queue.mark_running(studio, old)
    assert not queue.finish(studio, old, State.FAILED, Cause.ERROR, "stale")
    assert queue.get(studio, old.id).state == State.STARTING


def test_the_first_end_stays(studio: Studio) -> None:
    job = claimed(studio)
    assert queue.mark_running(studio, job)
    assert queue.finish(studio, job, State.SUCCEEDED)
    assert not queue.finish(studio, job, State.CANCELLED, Cause.CANCELLED)
    ended = queue.get(studio, job.id)
    assert (ended.state, ended.cause) == (State.SUCCEEDED, None)
    assert ended.finished_at is not None
    assert queue.devices(studio)[0].job_id is None
    assert changes(studio, job)[-1] == ("running", "succeeded")
    with pytest.raises(Conflict, match="already ended"):
        queue.request_stop(studio, job.id, Stop.CANCEL)


def test_a_queued_job_is_cancelled_at_once_and_never_claimed(studio: Studio) -> None:
    queue.set_devices(studio, slots("cpu:0"))
    job = queue.request_stop(studio, submit(studio).id, Stop.SAVE)
    assert (job.state, job.cause) == (State.CANCELLED, Cause.CANCELLED)
    assert queue.claim(studio, job.id, ["cpu:0"]) is None


def test_cancel_outranks_save(studio: Studio) -> None:
    job = claimed(studio)
    assert queue.request_stop(studio, job.id, Stop.SAVE).stop_request == Stop.SAVE
    assert queue.request_stop(studio, job.id, Stop.CANCEL).stop_request == Stop.CANCEL
    assert queue.request_stop(studio, job.id, Stop.SAVE).stop_request == Stop.CANCEL


def test_states_that_do_not_fit_are_refused_by_the_database(studio: Studio) -> None:
    job = submit(studio)
    for state, finished in (("succeeded", None), ("running", now()), ("sleeping", None)):
        with pytest.raises(IntegrityError):
            with studio.db.write() as session:
                row = session.get_one(Job, job.id)
                row.state, row.finished_at = state, finished


def test_only_the_transitions_of_the_table_are_carried_out(studio: Studio) -> None:
    job = claimed(studio)
    assert queue.mark_stopping(studio, job)
    assert not queue.mark_running(studio, job)
    assert not queue.release(studio, job)
    assert queue.finish(studio, job, State.CANCELLED, Cause.CANCELLED)
    assert State(queue.get(studio, job.id).state) in TERMINAL and not TRANSITIONS[State.CANCELLED]


def test_devices_follow_the_machine_but_keep_their_holder(studio: Studio) -> None:
    job = claimed(studio)
    queue.set_devices(studio, slots("gpu:a", "cpu:1"))
    held = {device.id: device.job_id for device in queue.devices(studio)}
    assert held == {"cpu:0": job.id, "cpu:1": None, "gpu:a": None}
    queue.finish(studio, job, State.CANCELLED)
    queue.set_devices(studio, slots("gpu:a"))
    assert [device.id for device in queue.devices(studio)] == ["gpu:a"]


def test_each_kind_of_job_takes_its_kind_of_device(studio: Studio) -> None:
    both, without = slots("gpu:a", "cpu:0", "serve:0"), slots("cpu:0", "serve:0")
    auto, cpu, chat = submit(studio), submit(studio, spec={"device": "cpu"}), submit(studio, kind="serve")
    assert [slot_kind(job, both) for job in (auto, cpu, chat)] == ["gpu", "cpu", "serve"]
    assert [slot_kind(job, without) for job in (auto, cpu, chat)] == ["cpu", "cpu", "serve"]
    assert starts(studio, both) == [(auto.id, ["gpu:a"]), (cpu.id, ["cpu:0"]), (chat.id, ["serve:0"])]
    assert starts(studio, without) == [(auto.id, ["cpu:0"]), (chat.id, ["serve:0"])]
    assert starts(studio, slots("gpu:a")[:1]) == [(auto.id, ["gpu:a"])]


def starts(studio: Studio, devices: list[Device]) -> list[tuple[int, list[str]]]:
    return [(job.id, [slot.id for slot in held]) for job, held in queue.startable(studio, devices)]


def in_order(studio: Studio) -> list[int]:
    return [job.id for job in queue.waiting(studio)]


def test_the_order_can_be_changed_while_jobs_wait(studio: Studio) -> None:
    a, b, c, d = (submit(studio).id for _ in range(4))
    order.move(studio, c, "first")
    assert in_order(studio) == [c, a, b, d]
    order.move(studio, c, "down")
    order.move(studio, d, "up")
    assert in_order(studio) == [a, c, d, b]
    order.move(studio, a, "last")
    assert in_order(studio) == [c, d, b, a]
    order.move(studio, c, "up")
    order.move(studio, a, "down")
    assert in_order(studio) == [c, d, b, a]
    order.set_priority(studio, a, 2)
    assert in_order(studio) == [a, c, d, b]
    assert [order.position(studio, queue.get(studio, id)) for id in (a, c, d, b)] == [1, 2, 3, 4]
    with pytest.raises(BadInput, match="99"):
        order.set_priority(studio, a, 99)
    queue.set_devices(studio, slots("cpu:0"))
    assert queue.claim(studio, a, ["cpu:0"])
    for change in (lambda: order.move(studio, a, "up"), lambda: order.set_priority(studio, a, 1)):
        with pytest.raises(Conflict, match=str(a)):
            change()


def test_a_paused_queue_starts_nothing_but_the_chat(studio: Studio) -> None:
    devices = slots("cpu:0", "serve:0")
    queue.set_devices(studio, devices)
    run, chat = submit(studio), submit(studio, kind="serve")
    queue.pause(studio)
    assert queue.is_paused(studio)
    assert starts(studio, devices) == [(chat.id, ["serve:0"])]
    assert queue.claim(studio, run.id, ["cpu:0"]) is None
    queue.pause(studio, False)
    assert not queue.is_paused(studio)
    assert starts(studio, devices) == [(run.id, ["cpu:0"]), (chat.id, ["serve:0"])]


def test_a_job_starts_after_another_has_succeeded(studio: Studio) -> None:
    devices = slots("cpu:0")
    queue.set_devices(studio, devices)
    first = submit(studio)
    second = submit(studio, after_id=first.id, priority=5)
    third = submit(studio)
    assert starts(studio, devices) == [(first.id, ["cpu:0"])]
    began = queue.claim(studio, first.id, ["cpu:0"])
    assert began
    queue.finish(studio, began, State.FAILED, Cause.ERROR)
    assert starts(studio, devices) == [(third.id, ["cpu:0"])]  # A failure does not hold up the others.
    again = submit(studio, resumes_id=first.id)
    assert queue.predecessor(studio, second).id == again.id  # type: ignore[union-attr]
    began = queue.claim(studio, again.id, ["cpu:0"])
    assert began
    queue.finish(studio, began, State.SUCCEEDED)
    assert starts(studio, devices) == [(second.id, ["cpu:0"])]
    with pytest.raises(NotFound):
        submit(studio, after_id=999)


def test_a_run_on_several_gpus_holds_them_all_and_is_not_overtaken(studio: Studio) -> None:
    devices = slots("gpu:a", "gpu:a#2", "gpu:b")
    queue.set_devices(studio, devices)
    two, three, one = submit(studio, spec={"gpus": 2}), submit(studio, spec={"gpus": 3}), submit(studio)
    assert starts(studio, devices) == [(two.id, ["gpu:a", "gpu:b"])]  # Two slots of one card are one card.
    job = queue.claim(studio, two.id, ["gpu:a", "gpu:b"])
    assert job and {d.id: d.job_id for d in queue.devices(studio)}["gpu:b"] == two.id
    assert queue.claim(studio, one.id, ["gpu:a#2", "gpu:b"]) is None
    assert starts(studio, list(queue.devices(studio))) == []
    queue.request_stop(studio, three.id, Stop.CANCEL)
    assert starts(studio, list(queue.devices(studio))) == [(one.id, ["gpu:a#2"])]
    queue.finish(studio, job, State.SUCCEEDED)
    assert all(device.job_id is None for device in queue.devices(studio))


def test_a_gpu_that_others_fill_is_not_taken(studio: Studio) -> None:
    devices = slots("gpu:a", "gpu:b")
    devices[0].foreign_memory = 20_000_000_000
    job = submit(studio)
    assert starts(studio, devices) == [(job.id, ["gpu:b"])]
