"""Templates of strangers: rendered as transformers does, and harmless."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from studio_core.base.errors import BadInput
from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Message
from studio_core.models.chat_template import STANDARD_TEMPLATE, ChatTemplate

CHAT: list[Message] = [
    {"role": "system", "content": "Be <brief> & 'kind'."},
    {"role": "user", "content": "Hi {{name}} {% endfor %}"},
    {"role": "assistant", "content": "你好"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye!"},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

TEMPLATES = {
    "standard": STANDARD_TEMPLATE,
    "tiny-chat": (bundled_folder() / "models" / "tiny-chat" / "chat_template.jinja").read_text(),
    "json": "{{ messages | tojson(indent=2) }}{{ dict(a=1).a }}",
    "namespace": "{% set n = namespace(x=0) %}{% for m in messages %}{% set n.x = 1 %}{% endfor %}{{ n.x }}",
    "loop controls": "{% for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}x{% endfor %}",
    "marks": "{% for m in messages %}\n {% generation %}\n{{ m.role }}\n {% endgeneration %}\n{% endfor %}",
}


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("name", TEMPLATES)
def test_equal_to_transformers(name: str, opened: bool) -> None:
    source = TEMPLATES[name]
    [text], [spans] = render_jinja_template(
        [CHAT],  # type: ignore[list-item]
        chat_template=source + "{% generation %}{% endgeneration %}",
        return_assistant_tokens_mask=True,
        add_generation_prompt=opened,
        **TOKENS,
    )
    template = ChatTemplate(source + "{% generation %}{% endgeneration %}", TOKENS)
    assert template.render(CHAT, opened=opened) == (text, spans)
    assert ChatTemplate(source).has_generation_marks == (name in ("standard", "tiny-chat", "marks"))


def test_the_standard_template_ends_turns_with_the_tokens_own_end() -> None:
    text, spans = ChatTemplate(STANDARD_TEMPLATE, TOKENS).render(CHAT[1:3])
    assert text == "<s><|im_start|>user\n" + CHAT[1]["content"] + "</s>\n<|im_start|>assistant\n你好</s>\n"
    assert [text[start:end] for start, end in spans] == ["你好</s>"]
    without, _ = ChatTemplate(STANDARD_TEMPLATE).render(CHAT[1:3], opened=True)
    assert without.startswith("<|im_start|>user\n") and without.endswith(
        "<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__ }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% set n = namespace(__class__=1) %}{{ n.__class__ }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ 1 / 0 }}",
        "{{ raise_exception('no system prompt') }}",
        "{{ undefined.attribute }}",
    ],
)
def test_what_a_template_must_not_do_is_refused(source: str) -> None:
    with pytest.raises(BadInput, match="The model's chat template rejects this conversation: "):
        ChatTemplate(source).render(CHAT)


def test_broken_templates_are_named() -> None:
    with pytest.raises(BadInput, match="is not valid Jinja: Unexpected end of template"):
        ChatTemplate("{% for m in messages %}")


def test_a_template_that_writes_without_end_is_stopped() -> None:
    source = "{% for a in range(99999) %}{% for b in range(99999) %}{{ 'x' * 9999 }}{% endfor %}{% endfor %}"
    with pytest.raises(BadInput, match="more than 16000000 characters"):
        ChatTemplate(source).render(CHAT)


def test_the_callers_messages_are_not_changed(tmp_path: Path) -> None:
    before = [dict(message) for message in CHAT]
    with pytest.raises(BadInput):
        ChatTemplate("{% set _ = messages[0].update({'content': ''}) %}").render(CHAT)
    assert before == CHAT
