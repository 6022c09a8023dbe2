"""Who may open what: decided here, for every page, route and event handler, and nowhere else.

A page declares ``ROLES``; without it, it is for trainers and administrators. Its routes
and its event handlers are for the same people. What is not declared is nobody's.

Gradio runs handlers of all pages behind the same few addresses, so that a path says
little. Each such request passes one of two functions of Gradio that know what is about
to be run; ``install`` puts the question of the role into both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException
from gradio import Blocks, route_utils
from gradio import routes as gradio_routes
from starlette.routing import compile_path

from app.i18n import language_of, say
from studio_core.people.accounts import LOCAL, Account, Role

EVERYONE = frozenset(Role)
STAFF = frozenset({Role.ADMINISTRATOR, Role.TRAINER})
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})
PUBLIC: frozenset[Role] = frozenset()
"""Not even signed in."""

Handler = TypeVar("Handler", bound=Callable[..., Any])

_WHO = "tunesmith.account"
_ACCESS = "tunesmith.access"

# What Gradio's own script asks for on any page. Handlers and components are asked about one by one.
_OF_ANY_PAGE = (
    r"/theme\.css|/assets/.+|/gradio_api/(startup-events|app_id|component_server|cancel|reset)/?"
    r"|/gradio_api/(queue/(join|data)|(run|heartbeat)/[\w-]+)/?"
)
# Of files only those of this machine: another address would be looked up.
_OF_STAFF = r"/config/?|/gradio_api/info/?|/gradio_api/file=/[^/].*"
_OF_NOBODY = r"/health|/favicon\.ico|/robots\.txt|/static/.+"


@dataclass(frozen=True)
class Rule:
    """Paths, and who may ask for them; ``PUBLIC`` means everybody, also without an account."""

    paths: re.Pattern[str]
    roles: frozenset[Role]


class Access:
    """The table of one application."""

    def __init__(self, pages: Iterable[ModuleType]) -> None:
        self.pages = {page.PATH: roles_of(page) for page in pages}
        self.rules = [
            Rule(re.compile(_OF_NOBODY), PUBLIC),
            Rule(re.compile(_OF_ANY_PAGE), EVERYONE),
            Rule(re.compile(_OF_STAFF), STAFF),
            *(
                Rule(re.compile(f"{re.escape(path.rstrip('/'))}/?"), roles)
                for path, roles in self.pages.items()
            ),
        ]
        self.functions: dict[Any, set[str]] = {}
        """Functions that components call, and the pages on which they stand."""

    def add(self, router: APIRouter, roles: frozenset[Role]) -> APIRouter:
        """Let these roles use the routes of ``router``, which is returned; ``only`` marks those for fewer."""
        for route in router.routes:
            fewer = getattr(route.endpoint, "roles", roles)  # type: ignore[attr-defined]
            # Never for more people than the page.
            self.rules.append(Rule(compile_path(route.path)[0], fewer & roles))  # type: ignore[attr-defined]
        return router

    def learn(self, demo: Blocks) -> None:
        """Remember which page each function that a component calls belongs to."""
        for block in demo.blocks.values():
            for function in getattr(block, "server_fns", ()):
                self.functions.setdefault(_plain(function), set()).add(f"/{block.page}")

    def may_run(self, account: Account, pages: Iterable[str]) -> bool:
        """Whether what stands on ``pages`` is for this account."""
        return any(account.role in self.pages.get(page, PUBLIC) for page in pages)

    def roles_for(self, path: str) -> frozenset[Role] | None:
        """Who may ask for a path; None if there is no such path."""
        # The first rule that fits; a path in none of them is nobody's, also one that was forgotten.
        return next((rule.roles for rule in self.rules if rule.paths.fullmatch(path)), None)

    def first_page(self, account: Account) -> str | None:
        """Where somebody lands who asked for no page, or for none of theirs."""
        return next((path for path, roles in self.pages.items() if account.role in roles), None)


def only(roles: frozenset[Role]) -> Callable[[Handler], Handler]:
    """Mark a handler as being for fewer people than the page on which it stands."""

    def mark(handler: Handler) -> Handler:
        handler.roles = roles  # type: ignore[attr-defined]
        return handler

    return mark


def roles_of(page: ModuleType) -> frozenset[Role]:
    return frozenset(getattr(page, "ROLES", STAFF))


def enter(scope: Any, account: Account, access: Access) -> None:
    """Note in a request who sends it; only the gate calls this."""
    scope[_WHO], scope[_ACCESS] = account, access


def account_in(scope: Any) -> Account:
    """Whom the gate has let in. ``KeyError`` if the request has not come through it: nobody may pass for somebody."""
    account: Account = scope[_WHO]
    return account


def current_user(request: Any) -> Account:
    """Who sends a request of Gradio or Starlette; ``LOCAL`` in a studio without accounts."""
    return account_in((getattr(request, "request", None) or request).scope)


def name_of(request: Any) -> str:
    """Who is at work, for the audit log; nobody is, in a request that has not come through the gate."""
    account = (getattr(request, "request", None) or request).scope.get(_WHO)
    return account.name if account else "nobody"


def visitor(request: Any) -> Account:
    """As ``current_user``, for drawing: a page that is drawn without a request is the local user's."""
    return LOCAL if request is None else current_user(request)


def install() -> None:
    """Have Gradio ask before it runs a handler, or a function of a component."""

    def get_fn(blocks: Any, api_name: str | None, body: Any) -> Any:
        try:
            fn = _get_fn(blocks, api_name, body)
        except (KeyError, route_utils.FnIndexInferError):
            raise HTTPException(HTTPStatus.NOT_FOUND) from None
        # Found first, then asked: only the function knows on which page it stands.
        _require(getattr(body, "request", None), lambda _: {f"/{fn.page}"}, getattr(fn.fn, "roles", EVERYONE))
        return fn

    def special_args(fn: Any, inputs: Any, request: Any, event_data: Any) -> Any:
        of_page = _plain(fn)
        _require(request, lambda a: a.functions.get(of_page, set()), getattr(fn, "roles", EVERYONE))
        return _special_args(fn, inputs, request, event_data)

    # Both modules have imported the name: each is replaced where it is looked up.
    route_utils.get_fn, gradio_routes.special_args = get_fn, special_args


_get_fn, _special_args = route_utils.get_fn, gradio_routes.special_args


def _require(request: Any, pages: Callable[[Access], Iterable[str]], roles: frozenset[Role]) -> None:
    """Refuse a request to run something that stands on no page of whoever sends it, or is for others there."""
    scope = getattr(request, "scope", {})
    # Drawn or called without a request through the gate: refused, never taken for the local user.
    if _WHO not in scope:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    access: Access = scope[_ACCESS]
    account: Account = scope[_WHO]
    if account.role not in roles or not access.may_run(account, pages(access)):
        raise HTTPException(HTTPStatus.FORBIDDEN, say("accounts.not_yours", language_of(request)))


def _plain(function: Any) -> Any:
    """A method without the object that it is bound to, which Gradio may make again."""
    return getattr(function, "__func__", function)
