"""``doctor``: is everything that the studio needs there, and whole?"""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json
from studio_core.machine.doctor import examine
from studio_core.machine.doctor import repair as repair_all
from studio_core.texts import text


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Repair the problems found.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Check the data folder, the database, the engine and this machine. Changes nothing without --fix."""
    with opened(home) as studio:
        checks = examine(studio)
        repairs = repair_all(checks) if fix else []
        if repairs:
            checks = examine(studio)
    listed = [
        {"name": c.name, "state": c.state, "detail": c.detail, "repairable": c.repair is not None}
        for c in checks
    ]
    if as_json:
        print_json({"checks": listed, "done": repairs} if fix else listed)
    else:
        for sentence in repairs:
            print(sentence)
        for check in checks:
            print(f"{text('cli.check_' + check.state)}  {check.name}: {check.detail}")
        if not fix and any(check.repair for check in checks):
            print(text("cli.doctor_fix"))
    return 1 if any(check.state == "bad" for check in checks) else 0
