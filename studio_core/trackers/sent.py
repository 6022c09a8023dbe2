"""How far a run was sent to a tracker: ``tracking/<tracker>.json`` in its folder, written by its follower."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from studio_core import texts
from studio_core.base import atomic
from studio_core.runs import run_folder
from studio_core.trackers import TRACKERS

FOLDER = "tracking"

State = Literal["sending", "sent", "failed"]


@dataclass
class Sent:
    offset: int = 0
    """Bytes of the run's events that the tracker has."""
    step: int = 0
    run: str = ""
    """What the tracker calls the run."""
    where: str = ""
    """A folder, or an address."""
    opened_by: str = ""
    """The command that shows it, of what stays on this machine."""
    state: State = "sending"
    trouble: str = ""
    """A text ``trackers.trouble_<trouble>``; empty: none."""
    values: dict[str, Any] = field(default_factory=dict)

    def write(self, run_dir: Path, tracker: str) -> None:
        file(run_dir, tracker).parent.mkdir(exist_ok=True, mode=0o700)
        atomic.write_json(file(run_dir, tracker), asdict(self))


def file(run_dir: Path, tracker: str) -> Path:
    return run_dir / FOLDER / f"{tracker}.json"


def lock(run_dir: Path, tracker: str) -> Path:
    """Held by whoever sends the run to the tracker."""
    return run_dir / FOLDER / f"{tracker}.lock"


def log(run_dir: Path, tracker: str) -> Path:
    """What the tracker's library printed."""
    return run_dir / FOLDER / f"{tracker}.log"


def read(run_dir: Path, tracker: str) -> Sent | None:
    """None where nobody has begun to send it, or the file is spoilt: then it is sent from the beginning."""
    try:
        document = atomic.read_json(file(run_dir, tracker))
        known = {each.name for each in fields(Sent)}
        return (
            Sent(**{name: value for name, value in document.items() if name in known}) if document else None
        )
    except (ValueError, TypeError, AttributeError):
        return None


def all_of(run_dir: Path) -> dict[str, Sent]:
    """By tracker, those that the run was or is being sent to."""
    return {name: sent for name in TRACKERS if (sent := read(run_dir, name))}


def is_sending(run_dir: Path, tracker: str) -> bool:
    return run_folder.is_held(lock(run_dir, tracker))


def sentence(
    run: int,
    run_dir: Path,
    tracker: str,
    sent: Sent,
    language: str = texts.DEFAULT_LANGUAGE,
    *,
    command_line: bool = False,
) -> str:
    """Where the run is kept, how far it was sent, and what to do about a trouble."""

    def say(key: str, **values: Any) -> str:
        title = texts.text(f"trackers.{tracker}", language)
        given = {"run": run, "tracker": tracker, "title": title, "step": sent.step, "where": sent.where}
        return texts.text(key, language, **{**given, "command": sent.opened_by, **values})

    again = "cli.track_again" if command_line else "trackers.send_again"
    if sent.trouble:
        told = say(f"trackers.trouble_{sent.trouble}", **sent.values)
        if sent.state != "failed":
            return told
        return f"{told} {say(again)}"
    if sent.state == "sent":
        offline = "trackers.says_offline" if TRACKERS[tracker].kept_offline else "trackers.says_kept"
        return say(offline if sent.opened_by else "trackers.says_sent")
    if is_sending(run_dir, tracker):
        return say("trackers.says_sending")
    return f"{say('trackers.says_lost')} {say(again)}"


def is_well(run_dir: Path, tracker: str, sent: Sent) -> bool:
    """Whether there is nothing to do about it."""
    return not sent.trouble and (sent.state == "sent" or is_sending(run_dir, tracker))
