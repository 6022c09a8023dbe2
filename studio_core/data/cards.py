"""The dataset card: a README.md that says what an exported file is, where it is from and how to load it.

Written in English, as cards are read by everybody, and the same for the same version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from studio_core.base import plain_yaml
from studio_core.data.exports import Fit
from studio_core.texts import text

_BUILDERS = {"jsonl": "json", "json": "json", "csv": "csv", "parquet": "parquet"}
"""What `datasets` calls the reader of each format."""


_UNSTATED = "Not stated. State a licence before sharing this dataset, and respect those of its sources."


@dataclass(frozen=True)
class Step:
    """How one version came to be."""

    name: str
    version: int
    rows: int
    operation: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What a card is made from."""

    file: str
    """The exported file, as a path beside the card."""
    sha256: str
    fit: Fit
    columns: Sequence[str]
    steps: Sequence[Step]
    """The version itself, then those that it was made from."""
    repo: str = ""
    """Its repository on the Hub, if it is in one."""
    report: dict[str, Any] = field(default_factory=dict)
    """Figures of the stored report: ``{name: value}``."""
    rejected: int = 0


def card(facts: Facts) -> str:
    """The whole README.md."""
    return "\n".join([*_head(facts), *_what(facts), *_origin(facts), *_report(facts), *_use(facts)]) + "\n"


def _head(facts: Facts) -> Iterator[str]:
    own = facts.steps[0]
    front = {
        "pretty_name": own.name,
        "tags": ["tunesmith", facts.fit.becomes.value],
        "configs": [{"config_name": "default", "data_files": facts.file}],
    }
    yield "---"
    yield _yaml(front)
    yield "---"
    yield ""
    yield f"# {own.name}, version {own.version}"
    yield ""


def _what(facts: Facts) -> Iterator[str]:
    own, fit = facts.steps[0], facts.fit
    yield "| | |"
    yield "|---|---|"
    yield f"| name | {_code(own.name)} |"
    yield f"| version | {own.version} |"
    yield f"| SHA-256 of the records | {_code(facts.sha256)} |"
    yield f"| shape | {fit.becomes.value} |"
    yield f"| records | {fit.rows} |"
    yield f"| columns | {', '.join(map(_code, facts.columns))} |"
    yield f"| layout | {fit.layout} ({text(f'exports.layout_{_key(fit.layout)}')}) |"
    yield f"| format | {fit.format} |"
    yield ""
    if fit.becomes is not fit.shape:
        yield f"Converted from {fit.shape.value} to {fit.becomes.value} records by the layout."
        yield ""
    for code, rows in fit.left_out.items():
        yield f"Skipped: {rows.n} records ({text(f'exports.unfit_{code}')})."
        yield ""


def _origin(facts: Facts) -> Iterator[str]:
    yield "## Source"
    yield ""
    for step in facts.steps:
        made = f"imported from {_code(step.source)}" if step.operation == "import" else _code(step.operation)
        yield f"- {_code(f'{step.name}@{step.version}')}, {step.rows} records: {made}"
        # Sorted by name, so that the card of a version is the same whenever it is written.
        for title, values in (("options", step.options), ("counts", step.counts)):
            if values:
                yield f"  - {title}: {_code(json.dumps(values, ensure_ascii=False, sort_keys=True))}"
    yield ""
    if facts.rejected:
        yield f"{facts.rejected} invalid rows of the source were skipped."
        yield ""


def _report(facts: Facts) -> Iterator[str]:
    if not facts.report:
        return
    yield "## Report"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in facts.report.items():
        yield f"| {_code(name)} | {_code(value)} |"
    yield ""


def _use(facts: Facts) -> Iterator[str]:
    yield "## Usage"
    yield ""
    yield "```python"
    yield "from datasets import load_dataset"
    yield ""
    builder = _BUILDERS[facts.fit.format]
    where = f'"{facts.repo}"' if facts.repo else f'"{builder}", data_files="{facts.file}"'
    yield f'data = load_dataset({where}, split="train")'
    yield "```"
    yield ""
    yield "## Licence"
    yield ""
    yield _UNSTATED


def with_theirs(card: str, there: str) -> str:
    """The card with what people have stated in one that it replaces: its licence, languages and the like."""
    old, new = _front(there), _front(card)
    # What people stated stays; what the studio states is its own and is replaced.
    kept = {name: value for name, value in old.items() if name not in new}
    tags = [tag for tag in old.get("tags") or [] if isinstance(tag, str) and tag not in new["tags"]]
    if not kept and not tags:
        return card
    front = {**new, "tags": [*new["tags"], *tags], **kept}
    # Ours, whose front matter is surely there.
    body = card.split("---\n", 2)[2]
    if isinstance(kept.get("license"), str):
        body = body.replace(_UNSTATED, _code(kept["license"]))
    return f"---\n{_yaml(front)}\n---\n{body}"


def _front(card: str) -> dict[str, Any]:
    """What stands as YAML before a card."""
    parts = card.replace("\r\n", "\n").split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        return {}
    try:
        front = plain_yaml.load(parts[1])
    except ValueError:
        return {}
    return front if isinstance(front, dict) else {}


def _yaml(front: dict[str, Any]) -> str:
    return yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip()


def _key(layout: str) -> str:
    return layout.replace("-", "_")


def _code(value: Any) -> str:
    """A value as code in a table: nothing in it is read as Markdown or HTML."""
    # A line break would end the row of the table, a bar its cell.
    said = " ".join(str(value).split())[:500].replace("|", "\\|")
    # One backtick more than any run in the text: it cannot end the code.
    fence = "`" * (max((len(run) for run in _runs(said)), default=0) + 1)
    space = " " if said[:1] == "`" or said[-1:] == "`" else ""
    return f"{fence}{space}{said}{space}{fence}" if said else ""


def _runs(said: str) -> Iterator[str]:
    """The runs of backticks in it."""
    run = ""
    for character in said + " ":
        if character == "`":
            run += character
        elif run:
            yield run
            run = ""
