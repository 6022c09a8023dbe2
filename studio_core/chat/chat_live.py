"""Rounds that are being answered. A thread takes the answers in and stores them, whoever looks on.

So a closed tab loses nothing: the page only reads what has come so far, and a page that is opened
again finds the round by its conversation.
"""

from __future__ import annotations

import copy
import secrets
import threading
import time
from collections.abc import Sequence

from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, ChatRound
from studio_core.chat import chat_answers, chat_votes, chats
from studio_core.chat.chat_answers import Answer
from studio_core.chat.chat_sides import ToService
from studio_core.chat.chats import ChatSettings
from studio_core.generation import serving, streaming
from studio_core.generation.sampling import Sampling

# Seconds of an answer that a killed process loses at most; a commit
# for each token would keep others waiting.
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
        # A copy, since the row's own would be changed under the eyes of whoever reads it.
        self._answers: list[Answer] = copy.deepcopy(row.answers)
        self._asked = [side for side, answer in enumerate(row.answers) if answer["state"] == "streaming"]
        self._key = secrets.token_hex(8)
        self._loading = [False] * len(row.answers)
        # Two locks: the answers change at each token, and must not wait while
        # some of them are being stored.
        self._changing = threading.Lock()
        self._saving = threading.Lock()
        self._ended = False
        # Set after the last save only, so that whoever waits then reads everything.
        self._stored = threading.Event()
        self._saved_at = time.monotonic()
        # A daemon: a page's process that ends does not wait for a model; the
        # round is marked when it is read again.
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

    def stop(self, side: int | None = None) -> None:
        """End it now, or one side of it alone, with what has come so far."""
        with self._changing:
            if side is not None and self._answers[side]["state"] != "streaming":
                return
            for index, answer in enumerate(self._answers):
                if answer["state"] == "streaming" and side in (None, index):
                    answer["state"] = "cancelled"
            last = all(answer["state"] != "streaming" for answer in self._answers)
        if last:
            self._finish()
            return
        # Models only; a service's thread sees the state at its next token.
        if side in self._asked:
            serving.stop_side(self._studio, self._key, self._asked.index(side))
        self.save()

    def save(self) -> None:
        """Store what has come so far; who is overtaken stores no older state over a newer one."""
        with self._saving:
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
        """Ask all sides: those of the studio's own models together, services each by itself."""
        asked = chats.questions(self._studio, self._chat, self._row, self._asked)
        ready: list[tuple[int, serving.Question]] = []
        threads: list[threading.Thread] = []
        for side, question in zip(self._asked, asked, strict=True):
            if isinstance(question, StudioError):
                self._answers[side].update(chat_answers.failure(question))
            elif isinstance(question, ToService):
                threads.append(threading.Thread(target=self._ask_service, args=[side, question], daemon=True))
            else:
                ready.append((side, question))
        # From here on places in the question to the chat worker, which counts the sides it got.
        self._asked = [side for side, _ in ready]
        for thread in threads:
            thread.start()
        if ready:
            self._ask_models([question for _, question in ready])
        for thread in threads:
            thread.join()

    def _ask_models(self, questions: Sequence[serving.Question]) -> None:
        sampling = self._sampling(self._asked[0])
        # One question for all models, so that sides on one base are computed in one batch.
        for event in serving.generate(self._studio, questions, sampling, lambda: self._ended, key=self._key):
            self._take(self._asked[event["side"]], event)

    def _ask_service(self, side: int, question: ToService) -> None:
        def stopped() -> bool:
            return self._answers[side]["state"] != "streaming"

        try:
            streaming.follow(
                question.service,
                question.messages,
                self._sampling(side),
                lambda event: self._take(side, event),
                stopped,
            )
        except StudioError as error:
            self._fail(error, side)
        except Exception as error:
            self._fail(StudioError("chat.unexpected", reason=f"{type(error).__name__}: {error}"), side)
            raise  # It goes to the log of the process, with its trace.

    def _sampling(self, side: int) -> Sampling:
        return Sampling.of(chats.settings_of(self._row), seed=self._row.answers[side]["seed"])

    def _take(self, side: int, event: serving.Event) -> None:
        with self._changing:
            # Events of a round that was stopped are still on their way.
            if self._ended:
                return
            self._loading[side] = event.get("state") == "loading"
            chat_answers.follow(self._answers, {**event, "side": side})
        # Outside the lock: a save waits for a disk.
        if time.monotonic() - self._saved_at > _SAVE_EVERY:
            self._saved_at = time.monotonic()
            self.save()

    def _fail(self, error: StudioError, side: int | None = None) -> None:
        with self._changing:
            for index, answer in enumerate(self._answers):
                if answer["state"] == "streaming" and side in (None, index):
                    answer.update(chat_answers.failure(error))

    def _finish(self) -> None:
        with self._changing:
            if self._ended:
                return
            self._ended = True
        try:
            self.save()
        finally:
            # Stored first, then no longer live: the other way round a page would
            # find half an answer and call it interrupted.
            _live.pop(_key(self._studio, self.chat_id), None)
            self._stored.set()


def _key(studio: Studio, chat_id: int) -> tuple[str, int]:
    return (str(studio.settings.home), chat_id)


def ask(studio: Studio, chat_id: int, prompt: str, settings: ChatSettings) -> LiveRound:
    """Begin the next round of a conversation. One round of a conversation at a time."""
    # Looking and beginning in one step, or two tabs would ask twice at once.
    with _starting:
        _require_quiet(studio, chat_id)
        chat = chats.get(studio, chat_id)
        return _begin(studio, chat, chats.add_round(studio, chat, prompt, settings))


def ask_again(studio: Studio, chat_id: int, number: int, sides: Sequence[int] = ()) -> LiveRound:
    """Ask for new answers of these sides, or of all, with the next seed.

    The newest round takes them while nobody has judged it. Otherwise a conversation begins that goes on
    from the rounds before, and all sides answer in it.
    """
    row = chats.round_of(studio, chat_id, number)
    every = range(len(row.answers))
    if not set(sides) <= set(every):
        raise BadInput("chat.no_side")
    # What was judged stays as it was judged; the new answers get a conversation of their own.
    if not chat_votes.standing(studio, chat_id)[row.id].fresh:
        settings = chats.settings_of(row).model_copy(update={"seed": chat_answers.next_seed(row, every)})
        return _fork(studio, chat_id, number, row.prompt, settings)
    with _starting:
        _require_quiet(studio, chat_id)
        chat = chats.get(studio, chat_id)
        return _begin(studio, chat, chats.ask_sides_again(studio, row, list(sides) or list(every)))


def ask_instead(studio: Studio, chat_id: int, number: int, prompt: str) -> LiveRound:
    """Ask something else in a round: a conversation begins that goes on from the rounds before it."""
    row = chats.round_of(studio, chat_id, number)
    return _fork(studio, chat_id, number, prompt, chats.settings_of(row))


def _fork(studio: Studio, chat_id: int, number: int, prompt: str, settings: ChatSettings) -> LiveRound:
    chats.check_prompt(prompt)
    new = chats.fork(studio, chats.get(studio, chat_id), number, settings)
    return ask(studio, new.id, prompt, settings)


def _require_quiet(studio: Studio, chat_id: int) -> None:
    if current(studio, chat_id):
        raise Conflict("chat.still_answering")


def _begin(studio: Studio, chat: Chat, row: ChatRound) -> LiveRound:
    live = LiveRound(studio, chat, row)
    _live[_key(studio, chat.id)] = live
    live._thread.start()
    return live


def history(studio: Studio, chat_id: int) -> Sequence[ChatRound]:
    """All rounds; those that were being answered when the page's process ended are marked so."""
    with _starting:  # A round that was stored is not one that is being answered until it has a thread.
        if not current(studio, chat_id):
            chats.mark_interrupted(studio, chat_id)
    return chats.history(studio, chat_id)


def current(studio: Studio, chat_id: int) -> LiveRound | None:
    """The round of this conversation that is being answered."""
    return _live.get(_key(studio, chat_id))
