"""YAML as people write it: values, lists and mappings, and no aliases.

An alias repeats what stands elsewhere: ten lines of aliases of aliases are a document of a thousand million entries.
"""

from __future__ import annotations

from typing import Any

import yaml

# A recipe by hand has some hundred lines; a megabyte is read in a second or two by a parser in Python.
LONGEST = 1 << 20
"""Characters of a document."""


_BOOLEAN = "tag:yaml.org,2002:bool"


class _Plain(yaml.SafeLoader):
    # As in YAML 1.2 only true and false are booleans: an option may have the choices on and off.
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, form) for tag, form in resolvers if tag != _BOOLEAN or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        # When the node is composed: once the document is there, it is too late.
        if self.check_event(yaml.AliasEvent):
            raise ValueError("it has an alias (*name); write out what it stands for")
        return super().compose_node(parent, index)


def load(content: str) -> Any:
    """What the document says; raises ``ValueError`` with the reason if it cannot be read."""
    if len(content) > LONGEST:
        raise ValueError(f"more than {LONGEST >> 20} MB")
    try:
        return yaml.load(content, _Plain)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        # Deep nesting ends as RecursionError, absurd numbers as OverflowError.
        raise ValueError(" ".join(str(error).split())[:300]) from error
