"""Tells people what happens, in a thread of the engine: a server that does not answer holds up no run."""

from __future__ import annotations

import logging
import threading
import time

from studio_core.base.studio import Studio
from studio_core.notices import outbox

log = logging.getLogger(__name__)

# A notice is looked for on a phone: a second more is not noticed, and nothing is asked while nothing is committed.
EVERY = 1.0
"""Seconds between two looks."""
SELDOM = 60.0
"""Seconds between two looks at jobs that wait, which they do without anything being written."""
TIDY = 6 * 3600.0


def tell(studio: Studio, stopped: threading.Event) -> None:
    """Until ``stopped`` is set, or the data folder is gone."""
    watch, looked, tidied, trouble = studio.db.watch(), 0.0, 0.0, ""
    while not stopped.wait(EVERY) and studio.settings.database.exists():
        try:
            now = time.monotonic()
            seldom = now - looked > SELDOM
            if watch.changed() or seldom or trouble:
                outbox.look(studio, waits=seldom)
            looked = now if seldom else looked
            outbox.send_due(studio)
            if now - tidied > TIDY:
                tidied = now
                outbox.tidy(studio)
            trouble = ""
        except Exception as error:  # Whatever it is: it is tried again, and logged once.
            if trouble != repr(error):
                log.exception("Trouble with notices; it is tried again")
            trouble = repr(error)
    watch.close()


def begin(studio: Studio, stopped: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=tell, args=(studio, stopped), name="notices", daemon=True)
    thread.start()
    return thread
