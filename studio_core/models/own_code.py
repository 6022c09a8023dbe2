"""Whether a model's own Python code (``trust_remote_code``) may run: an administrator says so, and nobody else.

Such code runs with the rights of the studio: whoever can switch it on can do anything. So bringing in a model with
it takes a ``Consent``, which is given here only; jobs that would run it are looked at again when they start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.people import accounts
from studio_core.people.accounts import Account, Role

log = logging.getLogger("tunesmith.accounts")


@dataclass(frozen=True)
class Consent:
    """That somebody who may has allowed the code of the model that comes from ``source``."""

    source: str
    by: str
    address: str


def consent(
    studio: Studio, source: str, account: Account, *, password: str = "", address: str = ""
) -> Consent:
    """Consent of an administrator, who gives the password once more; without accounts, of whoever sits here.

    Raises ``BadInput``; a wrong password counts as a failure to sign in.
    """
    if account.role is Role.ADMINISTRATOR and accounts.any_accounts(studio):
        # With its hashing: whoever only looks models up need not wait for it.
        from studio_core.people import sign_in

        account = sign_in.confirm(studio, account, password, address)
    if account.role is not Role.ADMINISTRATOR:
        log.warning("the code of %r was not allowed: %r is %s", source[:300], account.name, account.role)
        raise BadInput("models.code_needs_administrator")
    return Consent(source.strip(), account.name, address)


def note(consent: Consent, model: Model) -> None:
    """Keep in the log who let whose code run."""
    log.warning(
        "own code of model %r (%s) allowed by %r from %s",
        model.name,
        model.path,
        consent.by,
        consent.address or "this machine",
    )


def asking(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The models of a job that are to run code of their own, as its row has them."""
    # Rows of before there were roles have ``model`` only.
    run = spec.get("run") or {}
    models = [run.get("model"), *run.get("models", {}).values()]
    return [model for model in models if model and model.get("trust_remote_code")]
