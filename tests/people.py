"""Accounts in tests: three people, one of each role, whose passwords cost next to nothing to check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from studio_core.base.studio import Studio
from studio_core.people import accounts, sign_in
from studio_core.people.accounts import Role

PASSWORD = "correct horse battery"
NAMES = {Role.ADMINISTRATOR: "ann", Role.TRAINER: "tom", Role.ANNOTATOR: "lea"}
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="module", autouse=True)
def cheap_hashes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "hasher", lambda: CHEAP)
        sign_in._nobodys_hash.cache_clear()
        yield
    sign_in._nobodys_hash.cache_clear()


def add_all(studio: Studio) -> None:
    for role, name in NAMES.items():
        accounts.add(studio, name, role, PASSWORD)
