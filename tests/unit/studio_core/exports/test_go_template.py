"""Chat templates in Go's form: written out by its rules they are the text that Jinja writes."""

from __future__ import annotations

import re

import pytest

from studio_core.base.errors import BadInput
from studio_core.exports.go_template import frame_of
from studio_core.models.chat_template import STANDARD_TEMPLATE, ChatTemplate

LLAMA_3 = """\
{{- bos_token -}}
{%- for message in messages -%}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{%- endif -%}"""
QWEN = """\
{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' -}}{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""
NUMBERED = "{% for m in messages %}{{ loop.index }} {{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
BRACES = (
    "{% for m in messages %}{{ '{{' + m.role + '}} \"\"\"{' }}{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '{' }}assistant:{% endif %}"
)
TALK = [("user", "Hi"), ("assistant", "Yes?"), ("user", "Bye")]


def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, {"bos_token": "<s>", "eos_token": "</s>"})


def rendered(source: str, turns: list[tuple[str, str]]) -> str:
    messages = [{"role": role, "content": said} for role, said in turns]
    return template(source).render(messages, opened=True)[0]


def by_go(go: str, turns: list[tuple[str, str]]) -> str:
    """What Go's text/template writes of the few things that are used of it."""
    head, _, rest = go.partition("{{ range .Messages }}")
    body, _, opening = rest.rpartition("{{ end }}{{ end }}")
    branches = re.findall(
        r'\{\{ (?:else )?if eq \.Role "(\w+)" \}\}(.*?)(?=\{\{ else if eq|\Z)', body, re.DOTALL
    )
    around = dict(branches)
    has_system = any(role == "system" for role, _ in turns)
    head = re.sub(
        r"\{\{ if not \.System \}\}(.*?)\{\{ end \}\}", "" if has_system else r"\1", head, flags=re.DOTALL
    )
    text = head + "".join(around[role].replace("{{ .Content }}", said) for role, said in turns) + opening
    return re.sub(r'\{\{ "((?:\\.|[^"\\])*)" \}\}', lambda found: found[1].replace('\\"', '"'), text)


@pytest.mark.parametrize("source", [LLAMA_3, QWEN, BRACES, STANDARD_TEMPLATE])
@pytest.mark.parametrize("turns", [TALK[:1], TALK, [("system", "Short."), *TALK]])
def test_go_writes_what_jinja_writes(source: str, turns: list[tuple[str, str]]) -> None:
    assert by_go(frame_of(template(source)).go(""), turns) == rendered(source, turns)


def test_the_begin_token_is_left_to_the_tokenizer() -> None:
    go = frame_of(template(LLAMA_3)).go("<s>")
    assert "<s>" not in go and "<s>" + by_go(go, TALK) == rendered(LLAMA_3, TALK)


def test_no_three_quotation_marks_are_left() -> None:
    assert '"""' not in frame_of(template(BRACES)).go("")


def test_what_depends_on_more_than_roles_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        frame_of(template(NUMBERED))
    assert caught.value.key == "model_exports.template"
