"""What a demo model can do, in figures: `python -m jobs.demo.abilities static/models/tiny-chat`.

Asks the held-out questions with greedy decoding and scores the answers by plain rules.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from jobs.demo.dialogues import Message
from jobs.demo.heldout import TEST_SEED, all_suites
from jobs.demo.world import MODEL_NAME
from studio_core.suites import SUITES, Item
from studio_core.suites.sums import BOXED

MAX_NEW_TOKENS = 72


def right(item: Item, answer: str, name: str = MODEL_NAME) -> bool:
    """Whether `answer` is right; `name` is what an identity answer must say."""
    wanted = replace(item, key=name) if item.suite == "identity" else item
    return SUITES[item.suite].right(wanted, answer.strip())


@torch.no_grad()
def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[Message]],
    batch: int = 100,
) -> list[str]:
    """Greedy answers in the order of `prompts`; batched by length so that little is padded."""
    texts = [
        tokenizer.apply_chat_template(list(prompt), tokenize=False, add_generation_prompt=True)
        for prompt in prompts
    ]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found: dict[int, str] = {}
    was_training = model.training
    model.eval()
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        encoded = tokenizer(
            [texts[i] for i in chosen],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
        ).to(model.device)
        output = model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        new = output[:, encoded["input_ids"].shape[1] :]
        for i, text in zip(chosen, tokenizer.batch_decode(new, skip_special_tokens=True), strict=True):
            found[i] = text
    model.train(was_training)
    return [found[i] for i in range(len(texts))]


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str = MODEL_NAME,
    seed: int = TEST_SEED,
    show: int = 0,
) -> dict[str, float]:
    """Percentages per group and kind, and of boxed sums. `show` prints so many misses per group."""
    items = all_suites(seed)
    said = answers(model, tokenizer, [item.messages for item in items])
    scores: dict[str, list[bool]] = defaultdict(list)
    shown: Counter[str] = Counter()
    for item, answer in zip(items, said, strict=True):
        good = right(item, answer, name)
        scores[item.suite].append(good)
        scores[f"{item.suite}: {item.kind}"].append(good)
        if item.suite == "sums":
            scores["boxed"].append(BOXED.search(answer) is not None)
        if not good and shown[item.suite] < show:
            shown[item.suite] += 1
            print(f"  {item.suite}: {item.question!r} -> {answer!r} (wanted {item.key!r})")
    return {group: round(100 * sum(hits) / len(hits), 1) for group, hits in scores.items()}


def load(path: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), AutoTokenizer.from_pretrained(
        path
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--name", default=MODEL_NAME, help="the name that identity answers must say")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong answers of each group")
    chosen = parser.parse_args()
    print(json.dumps(measure(*load(chosen.model), name=chosen.name, show=chosen.show), indent=1))


if __name__ == "__main__":
    main()
