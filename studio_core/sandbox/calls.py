"""Functions that are carried out in the helper: the call as JSON, and what it gave back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar, get_type_hints

from pydantic import TypeAdapter

from studio_core import texts
from studio_core.base import errors
from studio_core.base.errors import StudioError
from studio_core.sandbox import pool

P = ParamSpec("P")
R = TypeVar("R")

# In the helper itself a marked function is an ordinary one, or it would start helpers of its own.
_inside = False


def sandboxed(function: Callable[P, R]) -> Callable[P, R]:
    """Carry the function out in the helper, wherever it is called.

    Its arguments and its result go through JSON, as their annotations say. It raises what the function
    raises, if that is a ``StudioError``, and ``BadInput`` if it came to a limit of the helper.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    signature = inspect.signature(function)

    @wraps(function)
    def outside(*args: P.args, **kwargs: P.kwargs) -> R:
        if _inside:
            return function(*args, **kwargs)
        form = _form(function)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = {name: form.takes[name].dump_python(v, mode="json") for name, v in bound.arguments.items()}
        answer = json.loads(pool.ask(json.dumps({"call": name, "with": given}).encode()))
        if "error" in answer:
            raise _error(answer)
        return form.gives.validate_python(answer["value"])  # type: ignore[no-any-return]

    return outside


def warm() -> None:
    """Have a helper ready before somebody waits for it."""
    _nothing()


@sandboxed
def _nothing() -> None: ...


@dataclass(frozen=True)
class _Form:
    """How the arguments and the result of a function are written as JSON."""

    takes: dict[str, TypeAdapter[Any]]
    gives: TypeAdapter[Any]


@cache
def _form(function: Callable[..., Any]) -> _Form:
    hints = get_type_hints(function)
    gives = TypeAdapter(hints.pop("return"))
    return _Form({name: TypeAdapter(hint) for name, hint in hints.items()}, gives)


def enter() -> None:
    """From now on this process is the helper; called once, by it."""
    global _inside
    _inside = True


def answer(request: bytes) -> bytes:
    """Carry out a call inside the helper; what a program of a model may raise is told as an error."""
    asked = json.loads(request)
    module, _, name = asked["call"].partition(":")
    # Only marked functions have it: no other can be called by its name.
    function = getattr(import_module(module), name).__wrapped__
    form = _form(function)
    given = {name: form.takes[name].validate_python(value) for name, value in asked["with"].items()}
    try:
        value = form.gives.dump_python(function(**given), mode="json")
        return json.dumps({"value": value}).encode()
    except StudioError as error:
        told = {name: _plain(value) for name, value in error.values.items()}
        return json.dumps({"error": error.key, "kind": type(error).__name__, "values": told}).encode()
    except Exception as error:
        # Templates and tokenizers fail in any way that a program can.
        # The first line, short: a message of a model's program goes into a sentence of the page.
        reason = (str(error).splitlines() or [""])[0][:300]
        values = {"reason": f"{type(error).__name__}: {reason}"}
        return json.dumps({"error": "sandbox.failed", "kind": "BadInput", "values": values}).encode()


def _plain(value: Any) -> Any:
    # Paths and exceptions are no JSON.
    return value if isinstance(value, int | float) else str(value)[:1000]


def _error(answer: dict[str, Any]) -> StudioError:
    kind = getattr(errors, answer["kind"], errors.BadInput)
    key = str(answer["error"])
    # What comes back is from a process that ran a stranger's program: no key but ours.
    if key not in texts.catalogue(texts.DEFAULT_LANGUAGE):
        key = "sandbox.failed"
    error: StudioError = kind(key, **{"reason": "?", **answer["values"]})
    return error
