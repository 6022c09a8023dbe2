"""Told by webhook and by the browser, and a link to a run that a stranger opens."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from studio_core import training
from studio_core.base.states import State
from studio_core.base.tables import Job
from studio_core.runs import queue
from tests.browser.conftest import Served, visit
from tests.conftest import wait_until
from tests.receivers import hook, mailbox
from tests.unit.studio_core.training.runs import spec

ENVIRONMENT = {"TUNESMITH_PRIVATE_WEBHOOKS": "1"}  # The receiver is on this machine.


def ended(served: Served, name: str) -> Job:
    """A run that is over, while the queue is paused so that the engine does not begin it."""
    job = training.submit(served.studio, spec(dataset="tiny-sft-chat"))
    with served.studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.claim_token, row.name = "test", name
        for state in (State.STARTING, State.SUCCEEDED):
            queue._move(session, row, state, None)
    return job


def test_a_webhook_that_is_added_on_the_page_is_told(page: Page, served: Served, paused: None) -> None:
    with hook() as receiver:
        visit(page, "/notices")
        page.locator("#notices-target textarea, #notices-target input").first.fill(receiver.url)
        page.locator("#notices-save").click()
        expect(page.locator("#notices-secret")).to_contain_text("whsec_")
        expect(page.locator("#notices-list")).to_contain_text("Webhook")
        expect(page.locator("#notices-list")).not_to_contain_text("key=abc")
        page.locator("#notices-list [data-act=test]").click()
        wait_until(lambda: receiver.got, what="the test")
        job = ended(served, "told-of")
        wait_until(lambda: len(receiver.got) > 1, what="the end of a run")
        assert receiver.bodies[1]["data"]["run"]["id"] == job.id
        assert receiver.bodies[1]["data"]["link"] == f"{served.url}/runs?run={job.id}"
        page.locator("#notices-list [data-act=remove]").click()
        expect(page.locator("#notices-list")).to_contain_text("No channels yet")


def test_mail_is_set_up_on_the_settings_page_and_arrives(page: Page, served: Served, paused: None) -> None:
    with mailbox() as box:
        visit(page, "/settings")
        expect(page.locator("#mail-kept")).to_contain_text("No mail server yet")
        for field, value in (
            ("host", "127.0.0.1"), ("port", str(box.port)), ("sender", "studio@example.org"),
            ("user", "ann"), ("password", "s3cret"),
        ):  # fmt: skip
            page.locator(f"#mail-{field} input, #mail-{field} textarea").first.fill(value)
        page.locator("#mail-security input").click()
        page.get_by_role("option", name="None", exact=True).click()
        page.locator("#mail-save").click()
        expect(page.locator("#mail-told")).to_contain_text("Saved the mail server 127.0.0.1")
        expect(page.locator("#mail-kept")).to_contain_text(
            f"studio@example.org · 127.0.0.1:{box.port} · None"
        )
        expect(page.locator("#mail-password input")).to_have_value("")
        assert "s3cret" not in page.content()
        visit(page, "/notices")
        page.locator("#notices-kind label", has_text="Mail").click()
        page.locator("#notices-target textarea, #notices-target input").first.fill("ann@example.org")
        page.locator("#notices-save").click()
        expect(page.locator("#notices-list")).to_contain_text("Mail")
        job = ended(served, "mailed-of")
        wait_until(lambda: box.got, what="the end of a run by mail")
        assert f"Run {job.id} (mailed-of)" in box.got[0]["Subject"] and len(box.logins) == 1
        page.locator("#notices-list [data-act=remove]").click()
        expect(page.locator("#notices-list")).to_contain_text("No channels yet")


_NOTED = """
window.shown = [];
window.Notification = class extends EventTarget {
	static permission = 'default';
	static async requestPermission() { return (window.Notification.permission = 'granted'); }
	constructor(title, options) { super(); window.shown.push([title, options.body, options.tag]); }
};
"""


def test_an_open_page_shows_notifications_once_it_may(page: Page, served: Served, paused: None) -> None:
    page.add_init_script(_NOTED)
    visit(page, "/notices")
    page.locator("#notices-kind label", has_text="Browser").click()
    page.locator("#notices-save").click()
    expect(page.locator("#notices-list")).to_contain_text("Run finished")
    page.locator("#notices-switch").click()
    expect(page.locator("#notices-permission-state")).to_have_text("This browser shows notifications.")
    job = ended(served, "<b>seen</b>")
    page.wait_for_function("window.shown.length > 0")
    [[title, _, tag]] = page.evaluate("window.shown")
    assert title == f"Run {job.id} (‹b›seen‹/b›) has finished." and tag.startswith("tunesmith-")


def test_a_link_shows_the_run_to_a_stranger_until_it_is_revoked(
    page: Page, served: Served, browser: Browser, paused: None
) -> None:
    job = ended(served, "shared-run")
    visit(page, f"/runs?run={job.id}")
    page.locator("#run-share button").first.click()
    page.locator("#share-make").click()
    link = page.locator("#share-link").inner_text()
    phone: BrowserContext = browser.new_context(viewport={"width": 390, "height": 800}, locale="en-US")
    stranger = phone.new_page()
    assert (stranger.goto(link) or pytest.fail()).status == 200
    expect(stranger.locator("h1")).to_have_text(f"{job.id} · shared-run")
    assert stranger.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert stranger.locator("form, button").count() == 0
    page.locator("#share-links [data-revoke]").click()
    expect(page.locator("#share-links")).to_contain_text("revoked")
    assert (stranger.goto(link) or pytest.fail()).status == 404
    phone.close()
