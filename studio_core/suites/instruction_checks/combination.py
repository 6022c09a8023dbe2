"""Two answers in one, and the request repeated before the answer."""

from __future__ import annotations


def two_responses(answer: str) -> bool:
    """Two different ones, separated by six asterisks; these at the very start or end separate nothing."""
    parts = [part.strip() for part in answer.split("******")]
    if not parts[0]:
        del parts[0]
    if parts and not parts[-1]:
        del parts[-1]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def repeat_prompt(answer: str, prompt_to_repeat: str) -> bool:
    return answer.strip().lower().startswith(prompt_to_repeat.strip().lower())
