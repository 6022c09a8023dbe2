"""Pairs of what a model answers and what it should have answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.curation.asking import PROMPTED, DrawingOptions, one_of
from studio_core.curation.base import Operation
from studio_core.data.patterns import Pattern
from studio_core.data.shapes import Message
from studio_core.generation.sampling import MOST_TOKENS, Sampling, Temperature, greedy
from studio_core.options import option

ARROW = "=>"

_ASKED = """Here is a question and an answer to it. Rewrite the answer as the instruction says, and leave the rest of \
it as it is. If nothing needs to change, repeat it. Reply with the rewritten answer only.

Instruction: {instruction}

Question:
{question}

Answer:
{answer}"""


class CorrectOptions(DrawingOptions):
    # Answers that are to be corrected by rules are wanted as the model mostly gives them.
    temperature: Temperature = 0.0
    by: Literal["rules", "rewrite"] = option("rules", advanced=False)
    rules: str = option("", kind="prompt", advanced=False)
    regex: bool = option(False)
    ignore_case: bool = option(False)
    whole_words: bool = option(True)
    instruction: str = option("", kind="prompt", advanced=False)
    editor_model: str = option("", choices_of="models", advanced=False)
    editor_service: str = option("", choices_of="services", advanced=False)
    keep_system: bool = option(False)
    drop_truncated: bool = option(True)

    @model_validator(mode="after")
    def _something_corrects(self) -> CorrectOptions:
        if self.by == "rules":
            corrections(self)
        else:
            one_of(self, "editor_model", "editor_service")
            if not self.instruction.strip():
                raise BadInput("generation.no_instruction")
        return self

    @property
    def loads(self) -> bool:
        """Whether a model is loaded here."""
        return bool(self.model) or (self.by == "rewrite" and bool(self.editor_model))

    def editing(self, seed: int) -> Sampling:
        """How the rewrite is drawn; it may be longer than what it rewrites."""
        # Twice the answer's own limit: a rewrite that is cut would lose what was right.
        return greedy(min(2 * self.max_tokens, MOST_TOKENS), seed=seed)


@dataclass(frozen=True)
class Correction:
    """What is found is replaced; an answer that has it right already stays as it is."""

    pattern: Pattern
    by: str
    undo: Pattern | None
    old: str

    def __call__(self, text: str) -> str:
        if self.undo is not None:  # "Dulo => Deep Dulo" must not make "Deep Deep Dulo" of "Deep Dulo".
            text = self.undo.replaced([text], self.old)[0][0]
        return self.pattern.replaced([text], self.by)[0][0]


def corrections(options: CorrectOptions) -> list[Correction]:
    """The rules, one a line, ``old => new``; raises ``BadInput`` that quotes the line."""
    changes = []
    for line in options.rules.splitlines():
        if not line.strip():
            continue
        old, arrow, new = (part.strip() for part in line.partition(ARROW))
        if not arrow or not old or old == new:
            raise BadInput("generation.not_a_rule", line=line[:80])
        pattern = _pattern(options, old)
        pattern.check_replacement(new)
        # Only a text can be found in its replacement; what an expression matches is not known before.
        undo = None if options.regex or old not in new else _pattern(options, new)
        changes.append(Correction(pattern, new, undo, old))
    if not changes:
        raise BadInput("generation.no_rules")
    return changes


def _pattern(options: CorrectOptions, text: str) -> Pattern:
    return Pattern(
        text, plain=not options.regex, ignore_case=options.ignore_case, whole_words=options.whole_words
    )


def rewriting(question: str, answer: str, instruction: str) -> list[Message]:
    """What the editor is asked."""
    text = _ASKED.format(instruction=instruction.strip(), question=question, answer=answer)
    return [{"role": "user", "content": text}]


CORRECT = Operation(
    name="correct",
    Options=CorrectOptions,
    shapes=PROMPTED,
    needs_model=lambda options: options.loads,
    models=("model", "editor_model"),
    services=("service", "editor_service"),
    area="generation",
)
