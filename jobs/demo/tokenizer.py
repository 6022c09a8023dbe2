"""The demo models' tokenizer: byte-level BPE, so that any text round-trips; digits stay single."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 1152
PAD, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
SPECIALS = [PAD, END, SYSTEM, USER, ASSISTANT]

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{- '<|assistant|>' -}}"
    "{%- generation -%}{{- message['content'] + '<|end|>' -}}{%- endgeneration -%}"
    "{%- elif message['role'] in ['system', 'user'] -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}"
    "{%- else -%}"
    "{{- raise_exception('Roles are system, user and assistant, not ' + message['role']) -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


class Encoder:
    """Turns documents and conversations into (tokens, learn-from-this) rows, as the chat template does."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.core = tokenizer.backend_tokenizer
        self.ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIALS}
        self.pad = self.ids[PAD]

    def _encode(self, texts: list[str]) -> Iterator[list[int]]:
        return (encoding.ids for encoding in self.core.encode_batch(texts, add_special_tokens=False))

    def documents(self, texts: list[str]) -> list[tuple[list[int], list[int]]]:
        end = self.ids[END]
        return [([*ids, end], [1] * (len(ids) + 1)) for ids in self._encode(texts)]

    def chats(self, rows: list[list[dict[str, str]]]) -> list[tuple[list[int], list[int]]]:
        contents = self._encode([message["content"] for row in rows for message in row])
        encoded = []
        for row in rows:
            tokens: list[int] = []
            learn: list[int] = []
            for message in row:
                body = [*next(contents), self.ids[END]]
                tokens += [self.ids[f"<|{message['role']}|>"], *body]
                learn += [0, *([int(message["role"] == "assistant")] * len(body))]
            encoded.append((tokens, learn))
        return encoded
