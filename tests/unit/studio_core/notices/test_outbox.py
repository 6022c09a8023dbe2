"""From a row of the queue to a receiver: once for each cause, signed, tried again, given up after a day."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from studio_core.base import clock
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Device, Job, Notice
from studio_core.methods.run_warnings import CHECKS
from studio_core.notices import outbox, register
from studio_core.notices.channels import CHANNELS, webhook
from studio_core.notices.rules import DEFAULT, RULES
from studio_core.people import accounts
from studio_core.runs import metrics, queue, run_folder
from studio_core.runs.engine_process import LOCK
from studio_core.texts import LANGUAGES, catalogue
from tests.people import add_all, cheap_hashes
from tests.receivers import Hook, hook

__all__ = ["cheap_hashes"]
HOSTILE = "<!channel> @all\r\nBcc: x@y.z \u202e<script>{run}"


@pytest.fixture
def open_to_private(tmp_path: Path) -> Iterator[Studio]:
    """A studio whose owner allows webhooks to this machine, on which the tests' receiver is."""
    opened = open_studio(home=tmp_path / "private", private_webhooks=True)
    queue.set_devices(opened, [Device(id="cpu:0", kind="cpu", label="CPU", foreign_memory=0)])
    yield opened
    opened.close()


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as made:
        yield made


def ended(studio: Studio, state: State = State.SUCCEEDED, name: str = "mine", **end: Any) -> Job:
    job = begun(studio, name)
    assert queue.finish(studio, job, state, **end)
    return queue.get(studio, job.id)


def begun(studio: Studio, name: str = "mine") -> Job:
    job = queue.submit(studio, kind="train", name=name, spec={"device": "cpu"}, method="sft")
    claimed = queue.claim(studio, job.id, ["cpu:0"])
    assert claimed
    queue.mark_running(studio, claimed)
    return claimed


def warn(studio: Studio, job: Job, seq: int, name: str = "not_finite", level: str = "warning") -> None:
    line = {
        "seq": seq, "at": clock.iso(clock.now()), "type": "notice", "level": level,
        "key": f"methods.notice.{name}", "values": {"step": 3},
    }  # fmt: skip
    metrics.store(studio, job.id, [(1000 * seq, json.dumps(line).encode())])


def passed(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> datetime:
    then = clock.now() + by
    monkeypatch.setattr(clock, "now", lambda: then)
    return then


def notices(studio: Studio) -> list[Notice]:
    with studio.db.read() as session:
        return list(session.scalars(select(Notice).order_by(Notice.id)))


def test_the_end_of_a_run_arrives_signed(open_to_private: Studio, receiver: Hook) -> None:
    studio = open_to_private
    earlier = ended(studio, name="before anybody asked")
    channel = register.add(studio, "webhook", receiver.url, studio_address="https://studio.example.org")
    job = ended(studio, State.FAILED, cause=Cause.ERROR, detail="no such column")
    assert (outbox.look(studio), outbox.send_due(studio)) == (1, 1)
    (headers, body), told = receiver.got[0], receiver.bodies[0]
    assert told["type"] == "run.failed" and told["data"]["run"]["id"] == job.id != earlier.id
    assert told["text"].startswith(f"Run {job.id} (mine) failed. Failed: no such column.")
    assert told["data"]["link"] == f"https://studio.example.org/runs?run={job.id}"
    # As a receiver checks it, by the specification and not by our own function.
    secret = webhook.secret_of(studio, channel)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert len(key) == 32 and headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - clock.seconds()) < 60


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of standardwebhooks.com and its libraries."""
    signed = webhook.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_cause_is_told_once_to_each(open_to_private: Studio, receiver: Hook) -> None:
    studio = open_to_private
    register.add(studio, "webhook", receiver.url)
    register.add(studio, "browser")
    job = begun(studio)
    warn(studio, job, 1)
    assert outbox.look(studio) == 2
    assert outbox.look(studio) == 0
    warn(studio, job, 2, "loss_flat")
    warn(studio, job, 3, "best_saved", level="info")
    queue.finish(studio, job, State.SUCCEEDED)
    assert outbox.look(studio) == 4
    assert outbox.look(studio) == 0
    assert outbox.send_due(studio) == 3 and outbox.send_due(studio) == 0
    assert [told["type"] for told in receiver.bodies] == [
        "run.not_finite",
        "run.stopped_learning",
        "run.ended",
    ]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 3


def test_what_a_crash_looked_at_twice_is_one_notice(open_to_private: Studio, receiver: Hook) -> None:
    studio = open_to_private
    channel = register.add(studio, "webhook", receiver.url)
    ended(studio)
    outbox.look(studio)
    with studio.db.write() as session:
        session.merge(channel).event_id = 0
    assert outbox.look(studio) == 0 and len(notices(studio)) == 1


def test_only_what_somebody_chose_is_told(open_to_private: Studio, receiver: Hook) -> None:
    studio = open_to_private
    register.add(studio, "webhook", receiver.url, ["failed"])
    ended(studio)
    queue.request_stop(studio, queue.submit(studio, kind="train", name="x", spec={}).id, "cancel")  # type: ignore[arg-type]
    assert outbox.look(studio) == 0
    ended(studio, State.INTERRUPTED, cause=Cause.HOST_REBOOTED)
    assert outbox.look(studio) == 1


def test_a_refusal_is_tried_again_with_the_same_id_and_body(
    open_to_private: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = open_to_private
    with hook(500, 302, location="http://127.0.0.1:9/elsewhere") as receiver:
        register.add(studio, "webhook", receiver.url)
        ended(studio)
        outbox.look(studio)
        assert outbox.send_due(studio) == 0
        assert "500" in (notices(studio)[0].error or "") and outbox.send_due(studio) == 0
        passed(monkeypatch, timedelta(seconds=6))
        assert outbox.send_due(studio) == 0  # The redirect is an answer like another, and is not followed.
        assert "302" in (notices(studio)[0].error or "")
        passed(monkeypatch, timedelta(seconds=40))
        assert outbox.send_due(studio) == 1
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert len({body for _, body in receiver.got}) == 1 and len(receiver.got) == 3
    sent = notices(studio)[0]
    assert (sent.tries, sent.error, sent.next_at) == (3, None, None) and sent.sent_at


def test_it_is_given_up_after_a_day_with_growing_pauses(
    open_to_private: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    studio, pauses = open_to_private, []
    with hook() as gone:
        register.add(studio, "webhook", gone.url)
    ended(studio)
    began = clock.now()
    outbox.look(studio)
    while (notice := (outbox.send_due(studio), notices(studio)[0])[1]).next_at:
        wait = notice.next_at - clock.now()
        pauses.append(wait.total_seconds())
        passed(monkeypatch, wait)
    assert timedelta(hours=24) <= clock.now() - began < timedelta(hours=24, minutes=1)
    assert 4 <= pauses[0] <= 6 and pauses[:7] == sorted(pauses[:7]) and 10 < notice.tries < 20
    assert notice.sent_at is None and "could not be reached" in (notice.error or "")
    assert "given up" in caplog.text


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(open_to_private: Studio) -> None:
    with hook(410) as receiver:
        register.add(open_to_private, "webhook", receiver.url)
        ended(open_to_private)
        outbox.look(open_to_private)
        outbox.send_due(open_to_private)
    assert notices(open_to_private)[0].next_at is None


def test_names_call_nobody_and_begin_nothing(open_to_private: Studio, receiver: Hook) -> None:
    studio = open_to_private
    register.add(studio, "webhook", receiver.url)
    ended(studio, State.FAILED, HOSTILE, cause=Cause.ERROR, detail=HOSTILE)
    outbox.look(studio)
    outbox.send_due(studio)
    told = receiver.bodies[0]
    for said in (told["title"], told["text"]):
        assert "{run}" in said and not {"<", ">", "\n", "\r", "\u202e"} & set(said) and "@all" not in said
    assert told["data"]["run"]["name"] == HOSTILE  # As data it is what it is.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "https://127.0.0.1/x", "https://localhost/x", "https://10.1.2.3/x", "https://[::1]/x",
        "https://[::ffff:192.168.0.1]/x", "https://169.254.169.254/latest", "https://2130706433/x",
        "https://100.64.0.1/x", "https://metadata.google.internal/x", "http://93.184.216.34/x", "ftp://a.example/x",
        "https://me:secret@a.example/x", "https://a.example/x#y", "https://a.example/x y", "https://", "x",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(studio: Studio, url: str) -> None:
    with pytest.raises(BadInput):
        register.add(studio, "webhook", url)
    assert not register.all_channels(studio)


def test_a_name_that_means_a_private_host_is_refused_when_it_is_sent(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.add(studio, "webhook", "https://rebound.example/x")
    asked = []

    def resolved(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    sent = register.test(studio, 1)
    assert asked and sent.sent_at is None and "private network" in (sent.error or "") and sent.next_at is None


def test_a_job_that_waits(open_to_private: Studio, receiver: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = open_to_private
    register.add(studio, "webhook", receiver.url, ["waits", "person"])
    assert run_folder.hold(
        studio.settings.home / LOCK
    )  # As an engine does, which is the first that a job waits for.
    begun(studio)
    for number in range(3):
        queue.submit(studio, kind="train", name=f"next {number}", spec={"device": "cpu"})
    assert outbox.look(studio) == 0
    passed(monkeypatch, timedelta(minutes=61))
    assert [outbox.look(studio), outbox.look(studio)] == [1, 0]  # The first of the three, once.
    queue.pause(studio)
    assert outbox.look(studio) == 1
    outbox.send_due(studio)
    first, second = receiver.bodies
    assert first["type"] == "run.waits" and "Job 2 (next 0) has waited" in first["text"]
    assert second["type"] == "run.person" and "paused" in second["text"]


def test_what_nobody_may_see_any_more_is_not_told(
    open_to_private: Studio, receiver: Hook, cheap_hashes: None
) -> None:
    studio = open_to_private
    add_all(studio)
    tom, ann = (accounts.account_of(accounts.find(studio, name)) for name in ("tom", "ann"))
    register.add(studio, "webhook", receiver.url, account=tom)
    with pytest.raises(NotFound):
        register.remove(studio, 1, ann)
    accounts.set_disabled(studio, "tom", True)
    ended(studio)
    assert outbox.look(studio) == 0
    accounts.set_disabled(studio, "tom", False)
    accounts.set_role(studio, "tom", "annotator")
    ended(studio)
    assert outbox.look(studio) == 0
    accounts.set_role(studio, "tom", "trainer")
    assert outbox.look(studio) == 0  # Nor of what was meanwhile.
    ended(studio)
    assert outbox.look(studio) == 1
    assert [channel.id for channel in register.all_channels(studio, tom)] == [1]


def test_every_warning_has_its_rule_and_every_rule_its_words() -> None:
    named = [warning for rule in RULES.values() for warning in rule.warnings]
    assert len(named) == len(set(named))
    # These tell that tokens were cut: worth a line on the run's page, not a message on a phone.
    assert {check.__name__ for check in CHECKS} - set(named) == {"answers_cut"}
    for language in LANGUAGES:
        words = catalogue(language)
        assert all(f"methods.notice.{name}" in words for name in named)
        for rule in RULES.values():
            assert {f"notices.rule_{rule.name}", f"notices.rule_{rule.name}_help"} <= words.keys()
            assert rule.states or f"notices.tell_{rule.name}" in words
            assert all(f"notices.state_{state}" in words for state in rule.states)
        assert all(f"notices.channel_{name}" in words for name in CHANNELS)
    assert set(DEFAULT) < set(RULES)


def test_a_channel_is_not_tested_for_ever(open_to_private: Studio, receiver: Hook) -> None:
    register.add(open_to_private, "webhook", receiver.url)
    for _ in range(register.TESTS):
        assert register.test(open_to_private, 1).sent_at
    with pytest.raises(BadInput, match="10 times"):
        register.test(open_to_private, 1)
    assert len(receiver.got) == register.TESTS


def test_the_month_before_is_forgotten(open_to_private: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = open_to_private
    register.add(studio, "browser")
    ended(studio)
    outbox.look(studio)
    passed(monkeypatch, timedelta(days=31))
    ended(studio)
    outbox.look(studio)
    outbox.tidy(studio)
    assert [notice.job_id for notice in notices(studio)] == [2]
