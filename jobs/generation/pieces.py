"""The text of an answer piece by piece, up to where it is over."""

from __future__ import annotations

from typing import Any

from jobs.generation.stopping import Stops

# A letter takes at most four byte tokens; what is still broken after more is broken text.
_LONGEST_LETTER = 8
_BROKEN = "\N{REPLACEMENT CHARACTER}"


class TextPieces:
    """Turns tokens into text as they come, up to where the answer is over; joined, the pieces are its text.

    The last few tokens are decoded again together with each new one, since a letter may be spread
    over several tokens (it is held back until it is complete) and since some tokenizers write a
    word's leading space only when something comes before it. Held back, too, is what may become the
    text that an answer ends with.
    """

    def __init__(self, tokenizer: Any, stops: Stops) -> None:
        self._tokenizer, self._stops = tokenizer, stops
        self._tokens: list[int] = []
        self._start = 0
        self._given = 0
        self._held = ""
        self.ended = False
        """Whether the answer has come to its end, which is no part of its text."""

    def add(self, token: int) -> str:
        if token in self._stops.tokens:
            piece = self.finish()
            self.ended = True
            return piece
        self._tokens.append(token)
        piece = self._pending()
        waiting = len(self._tokens) - self._given
        if piece.endswith(_BROKEN) and waiting < _LONGEST_LETTER:
            return ""
        if piece:
            self._start, self._given = self._given, len(self._tokens)
        return self._before_end(piece)

    def finish(self) -> str:
        """What was held back, without a letter of which only the beginning was written."""
        piece = self._before_end(self._pending().rstrip(_BROKEN))
        self._start = self._given = len(self._tokens)
        held, self._held = self._held, ""
        return piece + held

    def _before_end(self, piece: str) -> str:
        text, ends = self._held + piece, self._stops.texts
        if places := [text.index(end) for end in ends if end in text]:
            self.ended, self._held = True, ""
            return text[: min(places)]
        begun = (size for end in ends for size in range(1, len(end)) if text.endswith(end[:size]))
        sure = len(text) - max(begun, default=0)
        self._held = text[sure:]
        return text[:sure]

    def _pending(self) -> str:
        before = self._decode(self._tokens[self._start : self._given])
        return self._decode(self._tokens[self._start :])[len(before) :]

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


class EndOnly:
    """The same of an answer whose text nobody reads as it comes: its tokens alone say where it ends."""

    def __init__(self, stops: Stops) -> None:
        self._stops = stops
        self.ended = False

    def add(self, token: int) -> str:
        self.ended = token in self._stops.tokens
        return ""

    def finish(self) -> str:
        return ""
