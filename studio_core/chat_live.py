"""Rounds that are being answered. A thread takes the answers in and stores them, whoever looks on.

So a closed tab loses nothing: the page only reads what has come so far, and a page that is opened
again finds the round by its conversation.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Sequence

from studio_core import chats, serving
from studio_core.chats import Answer, ChatSettings
from studio_core.errors import Conflict, StudioError
from studio_core.studio import Studio
from studio_core.tables import Chat, ChatRound

_SAVE_EVERY = 2.0

_live: dict[tuple[str, int], LiveRound] = {}
_starting = threading.Lock()


class LiveRound:
    """A round whose answers are coming in."""

    def __init__(self, studio: Studio, chat: Chat, row: ChatRound) -> None:
        self.id = row.id
        self.chat_id = chat.id
        self._studio = studio
        self._chat = chat
        self._row = row
        self._answers: list[Answer] = copy.deepcopy(row.answers)
        self._loading = [False] * len(row.answers)
        self._changing = threading.Lock()
        self._ended = False
        self._stored = threading.Event()
        self._saved_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"chat-{chat.id}", daemon=True)

    @property
    def finished(self) -> bool:
        """Whether it has ended and all of it is in the database."""
        return self._stored.is_set()

    def answers(self) -> list[Answer]:
        """What has come so far."""
        with self._changing:
            return copy.deepcopy(self._answers)

    def loading(self) -> list[bool]:
        """For each side, whether its model is being read from disk."""
        return list(self._loading)

    def wait(self, timeout: float | None = None) -> bool:
        """Until the round has ended; False if it has not within ``timeout`` seconds."""
        return self._stored.wait(timeout)

    def stop(self) -> None:
        """End it now, with what has come so far."""
        with self._changing:
            for answer in self._answers:
                if answer["state"] == "streaming":
                    answer["state"] = "cancelled"
        self._finish()

    def save(self) -> None:
        """Store what has come so far."""
        chats.save_answers(self._studio, self.id, self.answers())

    def _run(self) -> None:
        try:
            self._take_in()
        except StudioError as error:
            self._fail(error)
        except Exception as error:
            self._fail(StudioError("chat.unexpected", reason=f"{type(error).__name__}: {error}"))
            raise  # It goes to the log of the process, with its trace.
        finally:
            self._finish()

    def _take_in(self) -> None:
        asked = chats.questions(self._studio, self._chat, self._row)
        for side, question in enumerate(asked):
            if isinstance(question, StudioError):
                self._answers[side].update(chats.failure(question))
        sides = [side for side, question in enumerate(asked) if not isinstance(question, StudioError)]
        ready = [question for question in asked if not isinstance(question, StudioError)]
        sampling = ChatSettings.model_validate(self._row.settings).sampling()
        if not ready:
            return
        for event in serving.generate(self._studio, ready, sampling, lambda: self._ended):
            event["side"] = sides[event["side"]]
            with self._changing:
                if self._ended:
                    return
                self._loading[event["side"]] = event.get("state") == "loading"
                chats.follow(self._answers, event)
            if time.monotonic() - self._saved_at > _SAVE_EVERY:
                self._saved_at = time.monotonic()
                self.save()

    def _fail(self, error: StudioError) -> None:
        with self._changing:
            for answer in self._answers:
                if answer["state"] == "streaming":
                    answer.update(chats.failure(error))

    def _finish(self) -> None:
        with self._changing:
            if self._ended:
                return
            self._ended = True
        try:
            self.save()
        finally:
            _live.pop(_key(self._studio, self.chat_id), None)
            self._stored.set()


def _key(studio: Studio, chat_id: int) -> tuple[str, int]:
    return (str(studio.settings.home), chat_id)


def ask(studio: Studio, chat_id: int, prompt: str, settings: ChatSettings) -> LiveRound:
    """Begin the next round of a conversation. One round of a conversation at a time."""
    with _starting:
        if current(studio, chat_id):
            raise Conflict("chat.still_answering")
        chat = chats.get(studio, chat_id)
        live = LiveRound(studio, chat, chats.add_round(studio, chat, prompt, settings))
        _live[_key(studio, chat_id)] = live
        live._thread.start()
        return live


def history(studio: Studio, chat_id: int) -> Sequence[ChatRound]:
    """All rounds; those that were being answered when the page's process ended are marked so."""
    if not current(studio, chat_id):
        chats.mark_interrupted(studio, chat_id)
    return chats.history(studio, chat_id)


def current(studio: Studio, chat_id: int) -> LiveRound | None:
    """The round of this conversation that is being answered."""
    return _live.get(_key(studio, chat_id))
