"""The shipped demo models: they load as they are, are small, and their tokenizer keeps any text."""

import json
import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from jobs.demo.dialogues import chat  # noqa: E402
from jobs.demo.network import Shape, export, forward, init_weights  # noqa: E402
from jobs.demo.pretrain import NOWHERE, collate, pack  # noqa: E402
from jobs.demo.tokenizer import Encoder, train_tokenizer  # noqa: E402
from jobs.demo.world import build_world  # noqa: E402

STATIC = Path(__file__).parents[3] / "static"
MODELS = sorted((STATIC / "models").glob("tiny-*"))
TEXTS = (
    "Plain words, and some more.",
    "  two  spaces\tand a tab\r\nand lines\n\n",
    "Grüße, naïve café, Ω≈ç√∫",
    "你好，世界 — こんにちは — 안녕하세요 — Привет — مرحبا",
    "👩‍👩‍👧‍👦 🇪🇺 e\u0301 \u200b\ufeff \x00 \x7f",
    "{\"a\": [1, 2.5, null]}  def f(x):\n    return x**2",
    "1234567890 47+38=85 3.14",
)  # fmt: skip


@pytest.fixture(scope="module", params=MODELS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_both_models_are_shipped() -> None:
    assert [path.name for path in MODELS] == ["tiny-base", "tiny-chat"]


def test_files_are_small_and_complete(folder: Path) -> None:
    assert (folder / "model.safetensors").stat().st_size <= 8_000_000
    for name in (
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "README.md",
    ):
        assert (folder / name).is_file()


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_round_trips(folder: Path, text: str) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_random_unicode_round_trips(folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rng = random.Random(1)
    for _ in range(50):
        points = [
            rng.choice((rng.randrange(0x20, 0xD800), rng.randrange(0xE000, 0x110000))) for _ in range(40)
        ]
        text = "".join(map(chr, points))
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_every_digit_is_one_token(folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert [t for t in tokenizer.tokenize("47+38 and 1205") if any(c.isdigit() for c in t)] == list(
        "47381205"
    )
    assert not [t for t in tokenizer.get_vocab() if any(c.isdigit() for c in t) and len(t) > 1]


def test_template_marks_what_the_assistant_says(folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hello to you."},
        {"role": "user", "content": "Bye"},
        {"role": "assistant", "content": "Goodbye!"},
    ]
    encoded = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    marked = [i for i, m in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if m]
    assert tokenizer.decode(marked) == "Hello to you.<|end|>Goodbye!<|end|>"
    prompt = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|system|>Be kind.<|end|><|user|>Hello!<|end|><|assistant|>"
    with pytest.raises(Exception, match="not tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


def test_training_rows_equal_the_template(folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rng = random.Random(2)
    rows = [chat(build_world(), rng) for _ in range(40)]
    for row, (tokens, learn) in zip(rows, Encoder(tokenizer).chats(rows), strict=True):
        encoded = tokenizer.apply_chat_template(row, return_dict=True, return_assistant_tokens_mask=True)
        assert (encoded["input_ids"], encoded["assistant_masks"]) == (tokens, learn)


def test_model_loads_and_stops(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert model.config.max_position_embeddings >= 512
    assert (model.config.pad_token_id, model.config.eos_token_id) == (
        tokenizer.pad_token_id,
        tokenizer.eos_token_id,
    )
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who are you?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    said = tokenizer.decode(model.generate(**prompt, do_sample=False)[0, prompt["input_ids"].shape[1] :])
    if folder.name == "tiny-chat":
        assert "Dulo" in said and said.endswith("<|end|>")


def test_hand_written_network_is_the_exported_one() -> None:
    shape = Shape(vocabulary=64, width=32, layers=2, heads=2, hidden=48, positions=64)
    weights = init_weights(shape, 0)
    with torch.no_grad():
        weights["out"].normal_(std=0.1)
        weights["down"].normal_(std=0.1)
    tokens = torch.randint(64, (2, 12))
    mask = torch.full((12, 12), NOWHERE).triu(1).bfloat16()
    with torch.no_grad():
        hidden = forward(weights, shape, tokens, torch.arange(12).expand(2, 12), mask)
        ours = hidden.float() @ weights["embed"].T
        theirs = export(weights, shape, pad=0, end=1).float()(tokens).logits
    assert (ours - theirs).abs().max() < 0.05 * theirs.abs().max()


def test_packing_loses_no_row_and_hides_the_neighbours() -> None:
    rows = [([n] * n, [1] * n) for n in (5, 3, 8, 2, 6, 9)]
    packed = pack(rows, 8)
    assert sorted(len(ids) for group in packed for ids, _ in group) == [2, 3, 5, 6, 8]  # Nine is too long.
    batch = collate([[rows[0], rows[1]]], 8, pad=0)
    assert batch.mask[0, 0, 5, 4] == torch.tensor(NOWHERE).bfloat16() and batch.mask[0, 0, 4, 0] == 0
    assert batch.positions[0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert not batch.learn[0, 0] and not batch.learn[0, 5]


def test_tokenizer_training_is_repeatable() -> None:
    texts = ["one two three two one " * 5, "two three"]
    first, second = train_tokenizer(texts), train_tokenizer(texts)
    assert json.loads(first.backend_tokenizer.to_str()) == json.loads(second.backend_tokenizer.to_str())
