"""Files as other programs write them, and what is to come of each."""

from __future__ import annotations

import json
from typing import Any

from studio_core.data.shapes import Shape


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

OPENAI_PREFERENCE = {
    "input": {"messages": [user("Hi")], "tools": [WEATHER], "parallel_tool_calls": True},
    "preferred_output": [assistant("Hello")],
    "non_preferred_output": [assistant("Go away")],
}
LABEL_STUDIO_PAIR = {
    "id": 1,
    "data": {"prompt": "Why?", "answer1": "Because.", "answer2": "Rayleigh scattering."},
    "annotations": [
        {"completed_by": 1, "was_cancelled": False, "result": [
                {"from_name": "pref", "to_name": "answer1,answer2", "type": "pairwise",
             "value": {"selected": "right"}},
        ]},
    ],
    "predictions": [],
}  # fmt: skip
LABEL_STUDIO_RATING = {
    "id": 1,
    "data": {"prompt": "Why?", "response": "Because."},
    "annotations": [
        {
            "result": [
                {"from_name": "stars", "to_name": "response", "type": "rating", "value": {"rating": stars}}
            ]
        }
        for stars in (5, 5, 1)
    ],
}
ARGILLA = {
    "id": "1", "status": "completed", "_server_id": "x", "metadata": {}, "vectors": {},
    "fields": {"instruction": "Why?", "response": "Because."},
    "suggestions": {"quality": {"value": 2, "score": 0.5, "agent": "m"}},
    "responses": {"quality": [{"value": 5, "user_id": "u"}, {"value": 1, "user_id": "v", "status": "draft"}]},
}  # fmt: skip
ARGILLA_1 = {
    "fields": {"prompt": "Why?", "response-1": "Because.", "response-2": "Rayleigh."},
    "responses": [{"user_id": "u", "status": "submitted", "values": {"better": {"value": [
        {"value": "response-2", "rank": 1}, {"value": "response-1", "rank": 2}]}}}],
    "suggestions": [{"question_name": "better", "value": None}],
    "external_id": None,
}  # fmt: skip
ARGILLA_FLAT = {
    "id": "1", "status": "completed", "_server_id": "x", "prompt": "Why?", "completion": "Because.",
    "label.suggestion": "good", "label.suggestion.score": 0.5, "label.suggestion.agent": "m",
    "label.responses": ["bad", "bad"], "label.responses.users": ["u", "v"], "label.responses.status": ["submitted"] * 2,
}  # fmt: skip
HH = {
    "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: Because.",
    "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: No.",
}
ASKED = [user("Hi"), assistant("Hello"), user("Why?")]

WILD: dict[str, tuple[str, str, Shape, dict[str, Any]]] = {
    "alpaca": (
        "alpaca.json",
        json.dumps([{"instruction": "Add", "input": "1 2", "output": "3"}] * 3, indent=2),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Add\n1 2")], "completion": [assistant("3")]},
    ),
    "sharegpt": (
        "sharegpt.json",
        json.dumps([{"id": "1", "conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"},
        ]}] * 3),
        Shape.CHAT,
        {"messages": [{"role": "system", "content": "Be kind."}, user("Hi"), assistant("Hello")]},
    ),
    "openai_messages": (
        "train.jsonl",
        lines(*[{"messages": [user("Hi"), {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "Bern"}'}}]},
            {"role": "tool", "tool_call_id": "1", "content": "rain"}, assistant("It rains.")],
            "parallel_tool_calls": False}] * 3),
        Shape.CHAT,
        {"messages": [
            user("Hi"),
            {**assistant(""), "tool_calls": '[{"name": "weather", "arguments": {"at": "Bern"}, "id": "1"}]'},
            {"role": "tool", "content": "rain", "tool_call_id": "1"},
            assistant("It rains."),
        ]},
    ),
    "openai_preference": (
        "dpo.jsonl",
        lines(*[{**OPENAI_PREFERENCE, "input": {"messages": [user("Hi")]}}] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Hi")], "chosen": [assistant("Hello")], "rejected": [assistant("Go away")]},
    ),
    "anthropic_hh": (
        "hh.jsonl",
        lines(HH, HH, HH),
        Shape.PREFERENCE,
        {"prompt": ASKED, "chosen": [assistant("Because.")], "rejected": [assistant("No.")]},
    ),
    "anthropic_hh_in_a_table": (
        "hh.csv",
        "chosen,rejected\n" + f'"{HH["chosen"].strip()}","{HH["rejected"].strip()}"\n' * 3,
        Shape.PREFERENCE,
        {"prompt": ASKED, "chosen": [assistant("Because.")], "rejected": [assistant("No.")]},
    ),
    "trl_implicit_prompt": (
        "trl.jsonl",
        lines(*[{"chosen": "The sky is blue.", "rejected": "The sky is green."}] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("The sky is")], "chosen": [assistant("blue.")], "rejected": [assistant("green.")]},
    ),
    "trl_unpaired_conversations": (
        "kto.jsonl",
        lines(*[{"prompt": [user("Hi")], "completion": [assistant("Hello")], "label": True}] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Hi")], "completion": [assistant("Hello")], "label": True},
    ),
    "trl_stepwise": (
        "prm.jsonl",
        lines(*[{"prompt": "1+1+1?", "completions": ["1+1=2", "2+1=4"], "labels": [True, False]}] * 3),
        Shape.STEPWISE,
        {"prompt": [user("1+1+1?")], "completions": ["1+1=2", "2+1=4"], "labels": [True, False]},
    ),
    "trl_stepwise_in_a_table": (
        "prm.csv",
        'prompt,completions,labels\n' + '1+1?,"[""it is 2""]","[1]"\n' * 3,
        Shape.STEPWISE,
        {"prompt": [user("1+1?")], "completions": ["it is 2"], "labels": [True]},
    ),
    "label_studio_pairs": (
        "project-1.json",
        json.dumps([LABEL_STUDIO_PAIR] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Why?")], "chosen": [assistant("Rayleigh scattering.")], "rejected": [assistant("Because.")]},
    ),
    "label_studio_ratings": (
        "project-2.json",
        json.dumps([LABEL_STUDIO_RATING] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")], "label": True},
    ),
    "label_studio_min": (
        "project-3.json",
        json.dumps([{"id": 1, "prompt": "Why?", "answer1": "Because.", "answer2": "Rayleigh.", "annotator": 1,
                     "annotation_id": 9, "lead_time": 1.5, "pref": {"selected": "left"}}] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Why?")], "chosen": [assistant("Because.")], "rejected": [assistant("Rayleigh.")]},
    ),
    "argilla": (
        "records.json",
        json.dumps([ARGILLA] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")], "label": True},
    ),
    "argilla_1_ranking": (
        "records.jsonl",
        lines(*[ARGILLA_1] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Why?")], "chosen": [assistant("Rayleigh.")], "rejected": [assistant("Because.")]},
    ),
    "argilla_flat": (
        "records.jsonl",
        lines(*[ARGILLA_FLAT] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")], "label": False},
    ),
    "gsm8k": (
        "train.jsonl",
        lines(*[{"question": "How much?", "answer": "500 + 734 = 1,234\n#### 1,234"}] * 3),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("How much?")], "completion": [assistant("500 + 734 = 1,234\n#### 1,234")]},
    ),
    "pandas": (
        "frame.json",
        json.dumps({"question": {"0": "Why?", "1": "Why?", "2": "Why?"}, "answer": dict.fromkeys("012", "Because.")}),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")]},
    ),
    "nested": (
        "nested.jsonl",
        lines(*[{"id": 1, "data": {"question": "Why?", "answer": "Because."}}] * 3),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")]},
    ),
    "wrapped_twice": (
        "export.json",
        json.dumps({"status": 200, "data": {"total": 3, "items": [{"prompt": "Why?", "completion": "Because."}] * 3}}),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")]},
    ),
    "excel": (
        "excel.csv",
        "\ufeffsep=;\r\nprompt;completion;;\r\n" + '"Why;\r\nreally?";\'=1+1;;\r\n' * 3,
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why;\r\nreally?")], "completion": [assistant("=1+1")]},
    ),
    "text": (
        "tale.txt",
        "Once upon\na time, there was.\n\n" * 3,
        Shape.TEXT,
        {"text": "Once upon\na time, there was."},
    ),
    "markdown": ("notes.md", "[link](x) first\n\n" * 3, Shape.TEXT, {"text": "[link](x) first"}),
}  # fmt: skip
