"""``doctor``: is everything that the studio needs there, and whole?"""

from __future__ import annotations

from app.cli.output import AsJson, Home, opened, print_json
from studio_core.doctor import examine
from studio_core.texts import text


def doctor(as_json: AsJson = False, home: Home = None) -> int:
    """Check the data folder, the database, the engine and this machine. Changes nothing."""
    with opened(home) as studio:
        checks = examine(studio)
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        for check in checks:
            print(f"{text('cli.check_' + check.state)}  {check.name}: {check.detail}")
    return 1 if any(check.state == "bad" for check in checks) else 0
