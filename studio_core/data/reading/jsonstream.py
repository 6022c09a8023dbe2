"""Records of a JSON document, one at a time: of an array, of the list in an object, or objects in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.data.notes import Notes
from studio_core.data.reading.sniffing import WRAPPERS, is_records, may_wrap, tolerant_json

_LITERALS = ("true", "false", "null", "-")
_SPACE = re.compile(r"[ \t\r\n]*")
# As long as a line may be (``source.MAX_LINE``).
MAX_RECORD = 16 << 20
"""Characters of one record."""


class JsonStream:
    """Pulls values out of blocks of text; holds no more than one record and one block."""

    def __init__(self, blocks: Iterator[str], source: str, notes: Notes | None = None) -> None:
        self._blocks = blocks
        self._source = source
        self._decoder = tolerant_json(notes or Notes())
        self._text = ""
        self._at = 0
        self._pin: int | None = None
        """A place before ``_at`` from which the text must stay in memory."""
        self._list = ""
        """The name of the list of records inside of an object, once it was found."""
        self._before = 0
        self._count = 0

    def records(self) -> Iterator[Any]:
        """The records; raises ``BadInput`` where the document is cut off or is no JSON."""
        # Objects or lists in a row are one document here: programs append them to a file.
        while self._peek():
            if self._peek() == "[":
                yield from self._array()
            elif self._peek() == "{":
                yield from self._object()
            else:
                raise self._broken("expected an object or a list")

    def _array(self) -> Iterator[Any]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            value = self._value()
            self._count += 1
            yield value
            if self._take(",", "]") == "]":
                return

    def _object(self) -> Iterator[Any]:
        """The list of records inside an object, or the object itself if it holds none."""
        if self._count:
            # Objects one after the other are records, whatever lists they hold.
            self._count += 1
            yield self._value()
            return
        self._list = ""
        fields: dict[str, Any] = {}
        yield from self._fields(fields)
        if not self._list:
            self._count += 1
            yield fields

    def _fields(self, fields: dict[str, Any], *, outer: bool = True) -> Iterator[Any]:
        """Yields the records of the list inside, if there is one; fills ``fields`` with all else."""
        self._take("{")
        while self._peek() != "}":
            name = str(self._value())
            self._take(":")
            # By its name and by its first element: an object has other lists, too.
            if self._peek() == "[" and may_wrap(name) and self._starts_records():
                # Which of them is meant cannot be known, and taking the first would drop the other.
                if self._list:
                    raise BadInput("data.json_two_lists", file=self._source, name=name[:40])
                self._list = name
                yield from self._array()
            elif outer and self._peek() == "{" and name.lower() in WRAPPERS:
                inner: dict[str, Any] = {}
                yield from self._fields(inner, outer=False)
                fields[name] = inner
            else:
                fields[name] = self._value()
            if self._take(",", "}") == "}":
                return
        self._take("}")

    def _starts_records(self) -> bool:
        """Whether the list that begins here holds records: its first element tells."""
        self._pin = self._at
        # Past the bracket; all that is read now is read once more.
        self._at += 1
        records = self._peek() == "{" and is_records([self._value()])
        self._at, self._pin = self._pin, None
        return records

    def _peek(self) -> str:
        """The next character that is not space; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, *wanted: str) -> str:
        found = self._peek()
        if found not in wanted or not found:
            raise self._broken(f"expected {' or '.join(wanted)}")
        self._at += 1
        return found

    def _value(self) -> Any:
        """The next JSON value."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise self._broken("nested too deeply") from error
            except ValueError as error:
                place = getattr(error, "pos", None)
                # Only what breaks at the end of the text in hand can be mended by more of it;
                # a string that is not closed is reported at its beginning.
                open_end = place is None or place >= len(self._text) - 16 or "Unterminated" in str(error)
                if open_end and self._more():
                    continue
                if place is not None:
                    self._at = min(place, len(self._text))
                reason = getattr(error, "msg", str(error))
                raise self._broken(reason, at_end=self._torn(place, reason)) from error
            # A number at the end of the text in hand may go on in the next block.
            if end < len(self._text) or not self._more():
                self._at = end
                return value

    def _torn(self, place: int | None, reason: str) -> bool:
        """Whether a value broke because the document ends, not because of what stands there."""
        rest = self._text[place or 0 :].rstrip()
        return not rest or "Unterminated" in reason or any(w.startswith(rest) for w in _LITERALS)

    def _more(self) -> bool:
        block = next(self._blocks, "")
        if not block:
            return False
        done = self._at if self._pin is None else self._pin
        # What was read is let go: memory holds one record and one block.
        self._text = self._text[done:] + block
        self._before += done
        self._at -= done
        self._pin = None if self._pin is None else 0
        if len(self._text) > MAX_RECORD:
            raise BadInput(
                "data.record_too_long", file=self._source, row=self._count + 1, limit=MAX_RECORD >> 20
            )
        return True

    def _broken(self, reason: str, *, at_end: bool = False) -> BadInput:
        if at_end or self._at >= len(self._text):
            return BadInput("data.json_cut_off", file=self._source, row=self._count + 1)
        position = self._before + self._at + 1
        return BadInput(
            "data.json_broken", file=self._source, row=self._count + 1, position=position, reason=reason
        )
