"""Control tokens that people have typed: kept apart from those that the template writes.

A chat template joins what people wrote with the tokens that begin and end turns, and a tokenizer
cannot tell who wrote ``<|im_end|>``. Here what people wrote is marked while it is rendered, and
encoded by a second tokenizer that knows the control tokens under private names only. So all else
(spaces, merges, prefixes) stays as the tokenizer does it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer

from studio_core.base.errors import BadInput

Span = tuple[int, int]

_MARKUP = re.compile(r"</?(think|thought|reason|tool|answer|solution)\w*>")
"""Tags that models write inside of their answers, and people in what they ask for: nobody's turn ends there."""
_BEGIN, _END, _NAME = "\U0010fffb", "\U0010fffc", "\U0010fffd"
"""The last characters of Unicode's private use: around what people typed, and in the private names."""
_MARKED = re.compile(f"{_BEGIN}(.*?){_END}|[{_BEGIN}{_END}]", re.DOTALL)


@dataclass(frozen=True)
class Encoded:
    """Tokens of a text, and where in it each stands."""

    ids: list[int]
    offsets: list[Span]


class ControlTokens:
    """The tokens of one tokenizer that only the template may write."""

    def __init__(self, tokenizer: Tokenizer, template_text: str) -> None:
        """``template_text``: what the template itself writes; tokens that are not special count if they stand there."""
        self._tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder()
        self.ids = {
            token.content: number
            for number, token in added.items()
            if (token.special or token.content in template_text)
            # Tokens of spaces only are for indenting code.
            and token.content.strip()
            and not _MARKUP.fullmatch(token.content)
        }
        """Spelling -> id."""
        self.numbers = frozenset(self.ids.values())
        # The longest first, as tokenizers match them.
        self._lengths = sorted({len(token) for token in self.ids}, reverse=True)
        starts = "".join(sorted({token[0] for token in self.ids}))
        # Most begin with "<" or "[", so that most characters are passed over.
        self._start = re.compile(f"[{re.escape(starts)}]" if starts else "(?!)")

    def places(self, text: str) -> Iterator[Span]:
        """Where control tokens stand in a text, the longest first where several begin."""
        place = 0
        # A pattern of all of them would be tried at every character; some models have thousands.
        while (match := self._start.search(text, place)) is not None:
            place = match.start()
            found = (text[place : place + n] for n in self._lengths)
            token = next((piece for piece in found if piece in self.ids), "")
            if token:
                yield place, place + len(token)
            place += len(token) or 1

    def within(self, value: Any) -> bool:
        """Whether any text of a message, or of what it holds, has one."""
        if isinstance(value, str):
            return next(self.places(value), None) is not None
        if isinstance(value, dict):
            return any(map(self.within, value.values()))
        return isinstance(value, list) and any(map(self.within, value))

    def marked(self, value: Any) -> Any:
        """A copy in which each one is marked. Raises ``BadInput`` if the marks themselves are in the text."""
        if isinstance(value, dict):
            return {key: self.marked(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.marked(item) for item in value]
        if not isinstance(value, str):
            return value
        if any(mark in value for mark in (_BEGIN, _END, _NAME)):
            raise BadInput("data.private_characters", text=value[:80])
        pieces, last = [], 0
        for start, end in self.places(value):
            pieces += [value[last:start], _BEGIN, value[start:end], _END]
            last = end
        return "".join([*pieces, value[last:]])

    def encode(self, text: str, typed: list[Span]) -> Encoded:
        """The tokens of a rendered text in which people typed control tokens at these places."""
        people = set(typed)
        anchors = [(0, 0)]  # Where pieces begin: in the text with private names, and in the text itself.
        pieces, last, length = [], 0, 0
        for start, end in self.places(text):
            # What people typed stays letters; a longer token around it is no token either.
            if (start, end) in people or any(a < end and start < b for a, b in typed):
                continue
            name = self._names[text[start:end]]
            pieces += [text[last:start], name]
            length += start - last
            anchors += [(length, start), (length + len(name), end)]
            length, last = length + len(name), end
        encoding = self._private.encode("".join([*pieces, text[last:]]), add_special_tokens=False)
        ids = [self._back.get(number, number) for number in encoding.ids]
        # Counted afterwards: as many control tokens as the template wrote, and no more.
        if sum(number in self.numbers for number in ids) != len(pieces) // 2:
            # Its model makes the token of ordinary letters; no encoding of this text keeps them apart.
            raise BadInput("data.control_token_unclear", token=text[slice(*typed[0])])
        begins = [begin for begin, _ in anchors]

        def back(place: int) -> int:
            at = bisect_right(begins, place) - 1
            return anchors[at][1] + place - begins[at]

        return Encoded(ids, [(back(begin), back(end)) for begin, end in encoding.offsets])

    @cached_property
    def _names(self) -> dict[str, str]:
        return {token: f"{_NAME}{place}{_NAME}" for place, token in enumerate(self.ids)}

    @cached_property
    def _private(self) -> Tokenizer:
        """The tokenizer, with private names for the control tokens."""
        document = json.loads(self._tokenizer.to_str())
        for token in document["added_tokens"]:
            token["content"] = self._names.get(token["content"], token["content"])
        model = document["model"]
        vocabulary = model.get("vocab")
        if isinstance(vocabulary, dict):
            # Two kinds of files: BPE and WordPiece name a number, Unigram has a list with scores.
            model["vocab"] = {self._names.get(token, token): n for token, n in vocabulary.items()}
        elif isinstance(vocabulary, list):
            model["vocab"] = [[self._names.get(token, token), score] for token, score in vocabulary]
        return Tokenizer.from_str(json.dumps(document))

    @cached_property
    def _back(self) -> dict[int, int]:
        """Ids of added tokens in the second tokenizer -> those that the model knows."""
        added = self._tokenizer.get_added_tokens_decoder()
        spelled = {self._names.get(token.content, token.content): number for number, token in added.items()}
        numbers = self._private.get_vocab(with_added_tokens=True)
        return {numbers[name]: number for name, number in spelled.items()}


def strip_marks(text: str) -> tuple[str, list[Span]]:
    """A text that was rendered with marks without them, and where in it what was marked stands."""
    pieces: list[str] = []
    typed: list[Span] = []
    last = length = 0
    for match in _MARKED.finditer(text):
        pieces.append(text[last : match.start()])
        length += match.start() - last
        if token := match.group(1):
            pieces.append(token)
            typed.append((length, length + len(token)))
            length += len(token)
        last = match.end()
    return "".join([*pieces, text[last:]]), typed
