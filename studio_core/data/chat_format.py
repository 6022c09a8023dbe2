"""A model's tokenizer and chat template: how conversations become tokens, in training, preview and chat alike."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from studio_core.base.errors import BadInput
from studio_core.data.control_tokens import ControlTokens, Encoded, strip_marks
from studio_core.data.conversation import Places, TemplateMessage, conversation
from studio_core.data.shapes import Message
from studio_core.models.chat_template import STANDARD_TEMPLATE, ChatTemplate, Span
from studio_core.models.inspect import chat_template, read, read_json
from studio_core.runs.spec import ResolvedModel

# The names by which templates may ask for them.
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

_SHORT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@dataclass(frozen=True)
class Rendered:
    """A conversation as text."""

    text: str
    marks: list[Span]
    """The answers that the template marks."""
    typed: list[Span]
    """Control tokens that people typed."""


@dataclass(frozen=True)
class ChatFormat:
    """A model's tokenizer and chat template."""

    tokenizer: Tokenizer
    template: ChatTemplate
    end: str
    """The token that ends a text; empty if the tokenizer has none."""
    standard: bool
    """The tokenizer has no template of its own: the standard one is used."""

    @classmethod
    def load(cls, folder: Path, template: str | None = None) -> ChatFormat:
        """Of a model's folder; ``template`` is used where the folder has none."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise BadInput("data.no_tokenizer", folder=folder)
        try:
            tokenizer = Tokenizer.from_buffer(read(path))
        except BadInput:
            raise
        except Exception as error:
            # The library raises bare exceptions.
            reason = str(error).splitlines()[0][:200]
            raise BadInput("data.tokenizer_broken", folder=folder, reason=reason) from error
        # A tokenizer may be stored with both switched on, and would cut what is counted.
        tokenizer.no_padding()
        tokenizer.no_truncation()
        special = _special_tokens(folder)
        own = chat_template(folder)
        source = own or template or STANDARD_TEMPLATE
        return cls(tokenizer, ChatTemplate(source, special), special.get("eos_token", ""), own is None)

    @classmethod
    def of(cls, model: ResolvedModel) -> ChatFormat:
        """Of a model of the studio; an adapter may bring a tokenizer of its own. Kept for later calls."""
        folder = Path(model.path)
        # With one of its own it has added tokens, which the base's would spell in letters.
        if model.adapter and (Path(model.adapter) / "tokenizer.json").is_file():
            folder = Path(model.adapter)
        tokenizer = folder / "tokenizer.json"
        # A model whose folder was replaced is another one under the same path.
        changed = tokenizer.stat().st_mtime_ns if tokenizer.is_file() else 0
        key = (str(folder), changed, model.chat_template)
        if key not in _LOADED:
            _LOADED[key] = cls.load(folder, model.chat_template)
            # The largest takes 500 MB; a helper that grew too large ends after its answer
            # (``sandbox.limits``).
            while len(_LOADED) > 8:
                _LOADED.popitem(last=False)
        return _LOADED[key]

    @property
    def has_generation_marks(self) -> bool:
        """Whether the template marks answers itself; else they are found by comparing with the prompt."""
        return self.template.has_generation_marks

    @cached_property
    def places(self) -> Places:
        return Places(self.template)

    @cached_property
    def control(self) -> ControlTokens:
        return ControlTokens(self.tokenizer, self.template.literals)

    @cached_property
    def marks_leave_end(self) -> bool:
        """Whether the template marks answers without the end of their turns."""
        try:
            text, marks = self.template.render(
                [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
            )
        except BadInput:
            return self.has_generation_marks
        marked = [text[start:end].rstrip() for start, end in marks]
        return bool(marked) and not any(end == len(marked[-1]) for _, end in self.control.places(marked[-1]))

    @cached_property
    def before_text(self) -> list[int]:
        """What the tokenizer itself puts before a text: of most models a begin token, or nothing."""
        # Found by comparing, since tokenizers say it in many ways.
        with_, without = (self.tokenizer.encode("a", add_special_tokens=own).ids for own in (True, False))
        return with_[: next((n for n in range(len(with_)) if with_[n : n + len(without)] == without), 0)]

    def render(
        self, messages: Sequence[TemplateMessage], tools: list[Any] | None = None, *, opened: bool = False
    ) -> Rendered:
        """The text of a conversation; ``opened``: with what precedes the assistant's next answer."""
        text, marks = self.template.render(messages, tools=tools, opened=opened)
        # Nearly always: then one rendering is enough.
        if not self.control.within([*messages, *(tools or [])]):
            return Rendered(text, marks, [])
        marked, _ = self.template.render(
            [{**self.control.marked(message), "role": message["role"]} for message in messages],
            tools=self.control.marked(tools),
            opened=opened,
        )
        plain, typed = strip_marks(marked)
        # The template does something to the text that the marks change (cuts
        # it, counts it): the places cannot be trusted.
        if plain != text:
            raise BadInput("data.control_token_moves")
        return Rendered(text, marks, typed)

    def encode(self, texts: Sequence[Rendered]) -> list[Encoded]:
        """The tokens of rendered conversations, without any that the tokenizer would add."""
        plain = iter(
            self.tokenizer.encode_batch([r.text for r in texts if not r.typed], add_special_tokens=False)
        )
        encoded = []
        for rendered in texts:
            if rendered.typed:
                encoded.append(self.control.encode(rendered.text, rendered.typed))
            else:
                encoding = next(plain)
                encoded.append(Encoded(encoding.ids, encoding.offsets))
        return encoded

    def encode_texts(self, texts: Sequence[str]) -> list[Encoded]:
        """The tokens of plain texts, with a begin token if the tokenizer puts one, but never two.

        Control tokens in them are what they say: corpora hold ends of texts on purpose.
        """
        before = self.before_text
        encoded = []
        for encoding in self.tokenizer.encode_batch(list(texts), add_special_tokens=False):
            # A corpus may have its begin tokens written out.
            missing = [] if encoding.ids[: len(before)] == before else before
            encoded.append(Encoded(missing + encoding.ids, [(0, 0)] * len(missing) + encoding.offsets))
        return encoded

    def prompt(self, messages: Sequence[Message], tools: list[Any] | None = None) -> list[int]:
        """The tokens of a conversation up to where the model's answer begins."""
        asked = conversation(self.places, messages, tools)
        [encoded] = self.encode([self.render(asked.messages, asked.tools, opened=True)])
        return encoded.ids


_LOADED: OrderedDict[tuple[str, int, str | None], ChatFormat] = OrderedDict()


def _special_tokens(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        # The second one wins, as in transformers.
        config |= read_json(folder / name)
    named = {name: config.get(name) for name in _SPECIAL}
    # As text, or as an object with its settings.
    spelled = {name: t.get("content") if isinstance(t, dict) else t for name, t in named.items()}
    return {name: token for name, token in spelled.items() if isinstance(token, str)}
