"""Which architectures the installed transformers can load, without importing it: its list of names is read as text."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

_LISTS = ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES")
"""What writes answers, and what scores them."""


def supported(architecture: str) -> bool | None:
    """Whether a model of that class, or of that ``model_type``, can be loaded; None if transformers is not there."""
    known = _known()
    return architecture in known if known else None


@cache
def _known() -> frozenset[str]:
    # Finding a package does not import it.
    package = importlib.util.find_spec("transformers")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    source = Path(package.submodule_search_locations[0]) / "models" / "auto" / "modeling_auto.py"
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except (
        OSError,
        SyntaxError,
    ):  # A version that keeps its list elsewhere: not known is said, nothing refused.
        return frozenset()
    lists = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id in _LISTS for target in node.targets)
    ]
    return frozenset(
        text.value
        for names in lists
        for text in ast.walk(names)
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    )
