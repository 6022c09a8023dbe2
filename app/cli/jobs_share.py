"""``jobs share | links | unshare``: links that show one run without an account."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.notices import links, register
from studio_core.runs import queue
from studio_core.texts import text

Id = Annotated[int, typer.Argument(metavar="JOB", help="Job number.")]


def add_to(cli: typer.Typer) -> None:
    cli.command("share")(share)
    cli.command("links")(links_)
    cli.command("unshare")(unshare)


def share(
    job: Id,
    answers: Annotated[
        bool, typer.Option("--answers", help="Show the answers to the fixed prompts too.")
    ] = False,
    address: Annotated[
        str, typer.Option(help="Address of the studio's pages, such as https://studio.example.org.")
    ] = "",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make a link that shows a training, read only, without an account, until it is revoked."""
    with opened(home) as studio:
        link, token = links.add(studio, job, answers=answers)
        url = links.address(address or register.address_of(studio.settings), token)
        others = links.reaches_others(studio.settings)
    if as_json:
        print_json({"link": link.id, "run": job, "url": url, "answers": answers})
        return
    print(text("notices.link_made", link=link.id, run=job, url=url))
    if not others and not address:
        print(text("notices.share_local"))


def links_(job: Id, as_json: AsJson = False, home: Home = None) -> None:
    """List the links to a run. The links themselves are not kept."""
    with opened(home) as studio:
        queue.get(studio, job)
        found = links.of_run(studio, job)
    names = ("id", "by", "answers", "created_at", "seen_at", "revoked_at")
    rows: list[dict[str, Any]] = [{name: getattr(link, name) for name in names} for link in found]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, names)


def unshare(
    link: Annotated[int, typer.Argument(metavar="LINK", help="Number of the link, as in `jobs links`.")],
    home: Home = None,
) -> None:
    """Revoke a link."""
    with opened(home) as studio:
        revoked = links.revoke(studio, link)
    print(text("notices.link_revoked", link=revoked.id, run=revoked.job_id))
