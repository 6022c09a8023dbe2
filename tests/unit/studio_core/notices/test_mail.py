"""Mail, handed in at a small real server."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
import trustme

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Device
from studio_core.notices import outbox, register
from studio_core.notices.channels import mail
from studio_core.runs import queue
from tests.receivers import mailbox
from tests.unit.studio_core.notices.test_outbox import HOSTILE, ended, notices


@pytest.fixture(autouse=True)
def slot(studio: Studio) -> None:
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU", foreign_memory=0)])


def test_the_end_of_a_run_by_mail(studio: Studio) -> None:
    with mailbox() as box:
        mail.keep_server(
            studio.settings.home, "127.0.0.1", box.port, "none", "studio@example.org", "ann", "s3cret"
        )
        register.add(studio, "mail", "ann@example.org", studio_address="https://studio.example.org")
        ended(studio, State.FAILED, HOSTILE, cause=Cause.ERROR, detail="it broke")
        outbox.look(studio)
        assert outbox.send_due(studio) == 1
    (got,) = box.got
    assert (
        box.recipients == ["ann@example.org"] and got["From"] == "studio@example.org" and got["Bcc"] is None
    )
    assert got["Subject"].startswith("Run 1 (") and "\n" not in got["Subject"]
    assert "it broke" in got.get_content() and "https://studio.example.org/runs?run=1" in got.get_content()
    assert notices(studio)[0].delivery in got["Message-ID"]
    assert base64.b64decode(box.logins[0].split()[-1]) == b"\0ann\0s3cret"


def test_what_the_server_refuses_is_said(studio: Studio) -> None:
    with mailbox() as box:
        box.refused = "ann@example.org"
        mail.keep_server(studio.settings.home, "127.0.0.1", box.port, "none", "studio@example.org")
        register.add(studio, "mail", "ann@example.org")
        refused = register.test(studio, 1)
        assert refused.sent_at is None and "takes no mail for ann@example.org" in (refused.error or "")
        # It offers no STARTTLS: nothing is sent in the clear instead.
        mail.keep_server(studio.settings.home, "127.0.0.1", box.port, "starttls", "studio@example.org")
        refused = register.test(studio, 1)
        assert refused.sent_at is None and "STARTTLS" in (refused.error or "") and not box.got


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_encrypted_to_a_server_whose_certificate_is_known_and_to_no_other(
    studio: Studio, security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with mailbox(security, context) as box:
        mail.keep_server(
            studio.settings.home, "127.0.0.1", box.port, security, "studio@example.org", "ann", "s3cret"
        )
        register.add(studio, "mail", "ann@example.org")
        refused = register.test(studio, 1)
        assert refused.sent_at is None and "certificate" in (refused.error or "")
        assert not (box.logins or box.got or box.encrypted)
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert register.test(studio, 1).sent_at is not None
        assert box.recipients == ["ann@example.org"] and box.encrypted == len(box.got) == 1


def test_the_password_stays_in_its_file(studio: Studio) -> None:
    home = studio.settings.home
    mail.keep_server(home, "mail.example.org", 587, "starttls", "a@b.example", "ann", "s3cret")
    assert (home / mail.FILE).stat().st_mode & 0o077 == 0
    kept = mail.keep_server(home, "mail.example.org", 465, "tls", "a@b.example", "ann")
    assert kept.password.get_secret_value() == "s3cret" and "s3cret" not in repr(kept)
    # Another server is not sent the password of this one.
    assert not mail.keep_server(
        home, "other.example.org", 465, "tls", "a@b.example", "ann"
    ).password.get_secret_value()
    with pytest.raises(BadInput, match="in the clear"):
        mail.keep_server(home, "mail.example.org", 25, "none", "a@b.example", "ann", "s3cret")
    (home / mail.FILE).write_text("s3cret")
    with pytest.raises(StudioError) as raised:
        mail.server(home)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@", "a b@c.example", "a@b.example\nBcc: c@d.example", "<a@b.example>"]
)
def test_what_is_no_mail_address(studio: Studio, address: str) -> None:
    mail.keep_server(studio.settings.home, "mail.example.org", 587, "starttls", "a@b.example")
    with pytest.raises(BadInput, match="not a mail address"):
        register.add(studio, "mail", address)


def test_no_mail_without_a_server(studio: Studio) -> None:
    with pytest.raises(BadInput, match="No mail server"):
        register.add(studio, "mail", "ann@example.org")
