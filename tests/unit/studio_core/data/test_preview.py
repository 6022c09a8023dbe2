"""What is shown as trained is what the trainers train: tokens and marks equal TRL's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from studio_core.base.errors import BadInput
from studio_core.base.settings import bundled_folder
from studio_core.data import preview, sequences, tokenized
from studio_core.data.chat_format import ChatFormat
from studio_core.data.learning import Learning
from studio_core.data.preview import Segment
from studio_core.data.sequences import Tokens
from studio_core.data.shapes import COLUMNS, Message, Record, Shape
from studio_core.models.chat_template import STANDARD_TEMPLATE
from studio_core.runs.spec import ResolvedModel

MODEL = bundled_folder() / "models" / "tiny-chat"

CHATML = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A template without marks."""


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


SYSTEM: Message = {"role": "system", "content": "You are Ada. 你是谁?"}
TURNS = [SYSTEM, user("Hi! 47+38?"), assistant("It is 85 🙂."), user(" and\n\nnow"), assistant("  Bye")]

RECORDS: dict[Shape, list[Record]] = {
    Shape.TEXT: [{"text": "Once upon a time, 1,234 dragons 🐉."}, {"text": "The end.<|end|>"}],
    Shape.CHAT: [{"messages": TURNS}, {"messages": TURNS[1:3]}],
    Shape.PROMPT_COMPLETION: [
        {"prompt": TURNS[:2], "completion": [assistant("It is 85.")]},
        {"prompt": TURNS[:4], "completion": [assistant("Bye")]},
    ],
    Shape.PREFERENCE: [
        {"prompt": TURNS[:2], "chosen": [assistant("85")], "rejected": [assistant("It is 84, I think.")]},
        {"prompt": [user("q")], "chosen": [assistant("yes, a")], "rejected": [assistant("yes, b")]},
    ],
}
SFT_SHAPES = (Shape.TEXT, Shape.CHAT, Shape.PROMPT_COMPLETION)


def tokens(chat: ChatFormat, shape: Shape, record: Record, loss_on: Any = "answers") -> list[Tokens]:
    [made] = sequences.tokens(chat, shape, [record], Learning(loss_on))
    return made


def segments(chat: ChatFormat, shape: Shape, record: Record, max_length: int | None = None) -> list[Segment]:
    return preview.segments(shape, tokens(chat, shape, record), max_length)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(MODEL)
    return loaded


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)


@pytest.fixture(scope="module")
def chat() -> ChatFormat:
    return ChatFormat.load(MODEL)


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    plain = {"use_cpu": True, "bf16": False, "activation_checkpointing": False, "report_to": "none"}
    return {"output_dir": str(folder), **plain, **more}


def trained_by_sft(shape: Shape, model: Any, tokenizer: Any, folder: Path, **more: Any) -> list[Any]:
    config = SFTConfig(**settings(folder, max_length=None, dataset_text_field="text", **more))
    rows = Dataset.from_list(RECORDS[shape])
    trainer = SFTTrainer(model, args=config, train_dataset=rows, processing_class=tokenizer)
    dataset = trainer.train_dataset
    labels = dataset["labels"] if "labels" in dataset.column_names else dataset["input_ids"]
    return [
        (ids, [label != -100 for label in row]) for ids, row in zip(dataset["input_ids"], labels, strict=True)
    ]


@pytest.mark.parametrize("loss_on", ["answers", "everything"])
@pytest.mark.parametrize("shape", SFT_SHAPES)
def test_sft_equals_trl(
    shape: Shape, loss_on: Any, model: Any, tokenizer: Any, chat: ChatFormat, tmp_path: Path
) -> None:
    answers = loss_on == "answers"
    more: dict[str, Any] = {"assistant_only_loss": answers} if shape is Shape.CHAT else {}
    if shape is Shape.PROMPT_COMPLETION:
        more = {"completion_only_loss": answers}
    wanted = trained_by_sft(shape, model, tokenizer, tmp_path, **more)
    shown = [tokens(chat, shape, record, loss_on)[0] for record in RECORDS[shape]]
    assert [(made.ids, made.trained) for made in shown] == wanted


def test_dpo_equals_trl(model: Any, tokenizer: Any, chat: ChatFormat, tmp_path: Path) -> None:
    trainer = DPOTrainer(
        str(MODEL),
        args=DPOConfig(**settings(tmp_path, max_length=None)),
        train_dataset=Dataset.from_list(RECORDS[Shape.PREFERENCE]),
        processing_class=tokenizer,
    )
    for row, record in zip(trainer.train_dataset, RECORDS[Shape.PREFERENCE], strict=True):
        for side in tokens(chat, Shape.PREFERENCE, record):
            answer = [token for token, learnt in zip(side.ids, side.trained, strict=True) if learnt]
            assert side.ids == row["prompt_ids"] + row[f"{side.part}_ids"]
            assert answer == row[f"{side.part}_ids"]
            assert side.prompt == len(row["prompt_ids"])


@pytest.mark.parametrize("shape", RECORDS)
def test_lengths_are_those_of_the_tokens(shape: Shape, chat: ChatFormat) -> None:
    longest = [max(len(t.ids) for t in tokens(chat, shape, record)) for record in RECORDS[shape]]
    assert sequences.lengths(chat, shape, RECORDS[shape]) == longest
    resolved = ResolvedModel(name="tiny", path=str(MODEL))
    assert tokenized.lengths(resolved, shape, RECORDS[shape]) == longest


def test_lengths_of_prompts_and_ratings(chat: ChatFormat) -> None:
    prompts = [{"prompt": [user("Hi")], "answer": "x"}]
    opened = "<|user|>Hi<|end|><|assistant|>"
    assert sequences.lengths(chat, Shape.PROMPT_ONLY, prompts) == [len(chat.tokenizer.encode(opened).ids)]
    rated = [{"prompt": [user("Hi")], "completion": [assistant("Yo")], "label": True}]
    [made] = tokens(chat, Shape.UNPAIRED_PREFERENCE, rated[0])
    assert sequences.lengths(chat, Shape.UNPAIRED_PREFERENCE, rated) == [len(made.ids)]


class TestSegments:
    @pytest.mark.parametrize("shape", SFT_SHAPES)
    @pytest.mark.parametrize("max_length", [None, 7, 0])
    def test_together_they_are_the_text(self, shape: Shape, max_length: int | None, chat: ChatFormat) -> None:
        for record in RECORDS[shape]:
            [made] = tokens(chat, shape, record)
            shown = segments(chat, shape, record, max_length)
            assert "".join(segment.text for segment in shown) == made.text

    def test_answers_of_a_chat(self, chat: ChatFormat) -> None:
        assert segments(chat, Shape.CHAT, {"messages": TURNS[1:3]}) == [
            Segment("<|user|>Hi! 47+38?<|end|><|assistant|>", False, False),
            Segment("It is 85 🙂.<|end|>", True, False),
        ]

    def test_a_pair(self, chat: ChatFormat) -> None:
        assert segments(chat, Shape.PREFERENCE, RECORDS[Shape.PREFERENCE][1]) == [
            Segment("<|user|>q<|end|><|assistant|>", False, False, "prompt"),
            Segment("yes, a<|end|>", True, False, "chosen"),
            Segment("yes, b<|end|>", True, False, "rejected"),
        ]

    def test_what_is_cut_off(self, chat: ChatFormat) -> None:
        record = {"prompt": [user("a")], "completion": [assistant("1234")]}
        assert segments(chat, Shape.PROMPT_COMPLETION, record, max_length=6) == [
            Segment("<|user|>a<|end|><|assistant|>", False, False),
            Segment("12", True, False),
            Segment("34<|end|>", True, True),
        ]

    def test_a_prompt_alone_trains_nothing(self, chat: ChatFormat) -> None:
        shown = segments(chat, Shape.PROMPT_ONLY, {"prompt": [user("a")]})
        assert shown == [Segment("<|user|>a<|end|><|assistant|>", False, False)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo tokenizer without its template."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(MODEL / name, tmp_path / name)
    return tmp_path


def test_without_marks_the_same_tokens_are_trained(folder: Path, chat: ChatFormat) -> None:
    unmarked = chat.template.source.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    (folder / "chat_template.jinja").write_text(unmarked)
    plain = ChatFormat.load(folder)
    assert not plain.has_generation_marks and chat.has_generation_marks
    for record in RECORDS[Shape.CHAT]:
        [with_marks] = tokens(chat, Shape.CHAT, record)
        [without] = tokens(plain, Shape.CHAT, record)
        assert without == with_marks


def test_a_template_that_drops_thoughts_of_earlier_turns(folder: Path) -> None:
    dropping = CHATML.replace("m.content", "(m.content if loop.last else m.content.split('</think>')[-1])")
    (folder / "chat_template.jinja").write_text(dropping)
    thoughts = "<think>hm</think>"
    turns = [user("q"), assistant(thoughts + "one"), user("r"), assistant(thoughts + "two")]
    shown = segments(ChatFormat.load(folder), Shape.CHAT, {"messages": turns})
    assert [segment.text for segment in shown if segment.trained][-1] == f"{thoughts}two<|end|>\n"


def test_a_tokenizer_without_a_template_gets_the_standard_one(folder: Path) -> None:
    chat = ChatFormat.load(folder)
    assert chat.standard and chat.template.source == STANDARD_TEMPLATE
    assert segments(chat, Shape.CHAT, {"messages": TURNS[1:3]}) == [
        Segment("<|im_start|>user\nHi! 47+38?<|end|>\n<|im_start|>assistant\n", False, False),
        Segment("It is 85 🙂.<|end|>", True, False),
        Segment("\n", False, False),
    ]
    assert ChatFormat.load(folder, CHATML).template.source == CHATML


def test_folders_without_a_usable_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(BadInput, match=r"The tokenizer in .* cannot be loaded: "):
        ChatFormat.load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match=r"has no tokenizer\.json"):
        ChatFormat.load(folder)


def test_a_tokenizer_saved_with_padding_and_truncation(folder: Path, chat: ChatFormat) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    document["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    document["padding"] = {"strategy": {"Fixed": 99}, "direction": "Right", "pad_to_multiple_of": None,
                           "pad_id": 0, "pad_type_id": 0, "pad_token": "<|pad|>"}  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document))
    shutil.copy(MODEL / "chat_template.jinja", folder)
    shape = Shape.CHAT
    assert sequences.lengths(ChatFormat.load(folder), shape, RECORDS[shape]) == sequences.lengths(
        chat, shape, RECORDS[shape]
    )


@pytest.mark.parametrize("shape", COLUMNS)
def test_every_shape_can_be_shown(shape: Shape, chat: ChatFormat) -> None:
    others: dict[Shape, Any] = {
        Shape.UNPAIRED_PREFERENCE: {"prompt": [user("Hi")], "completion": [assistant("Yo")], "label": True},
        Shape.PROMPT_ONLY: {"prompt": [user("Hi")]},
        Shape.STEPWISE: {
            "prompt": [user("1+1+1?")],
            "completions": ["1+1=2", "2+1=4"],
            "labels": [True, False],
        },
        Shape.SCORED: {"prompt": [user("Hi")], "completion": [assistant("Yo")], "score": 7.0},
        Shape.RANKING: {"prompt": [user("Hi")], "completions": ["Yo", "Hello!"], "ranks": [2, 1]},
    }
    record = RECORDS[shape][0] if shape in RECORDS else others[shape]
    assert segments(chat, shape, record)


def test_every_answer_of_a_ranking_is_shown_under_its_place(chat: ChatFormat) -> None:
    record = {"prompt": [user("Hi")], "completions": ["Yo", "Hello!", "Hm"], "ranks": [2, 1, 2]}
    shown = segments(chat, Shape.RANKING, record)
    assert [*dict.fromkeys(one.part for one in shown)] == ["prompt", "ranked 2", "ranked 1", "ranked 2="]
    assert all(one.trained for one in shown if one.part != "prompt")
    longest = max(len(one.ids) for one in sequences.tokens(chat, Shape.RANKING, [record])[0])
    assert sequences.lengths(chat, Shape.RANKING, [record]) == [longest]
