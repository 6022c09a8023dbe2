"""An engine that is dead at one exact point: ``before|after MODULE:NAME`` and then the engine's arguments.

It ends with ``os._exit`` as it calls, or as it comes back from, the function of that name.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

when, place = sys.argv.pop(1), sys.argv.pop(1)
module_name, _, path = place.partition(":")
*owners, name = path.split(".")
owner = importlib.import_module(module_name)
for part in owners:
    owner = getattr(owner, part)
original = getattr(owner, name)


def crash(*arguments: Any, **named: Any) -> Any:
    if when == "before":
        os._exit(137)
    original(*arguments, **named)
    os._exit(137)


setattr(owner, name, crash)

from jobs.__main__ import main  # noqa: E402

sys.exit(main())
