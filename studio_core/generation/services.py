"""Services that answer questions: OpenAI-compatible addresses that the user has named, each with its key.

They are kept in ``services.json`` of the data folder, which its owner alone may read. A key never leaves
it but for the service's own address: it is in no job, no database, no log and no sentence.

Workers import this: no database here.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from studio_core.base import audit
from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.generation.addresses import is_disguised, is_refused, number_of

FILE = "services.json"
# More than anybody pays for.
MOST = 100

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_KEY = re.compile(r"[\x21-\x7e]{1,4000}")
_LOCAL_NAMES = ("localhost", "host.docker.internal")

Note = Literal["local", "plain"]


class Service(BaseModel):
    """One address that answers as OpenAI's chat completions do. Prices are per million tokens."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    address: str
    """Up to what comes before ``/chat/completions``."""
    model: str
    key: SecretStr = SecretStr("")
    price_in: float = Field(default=0.0, ge=0, le=1_000_000, allow_inf_nan=False)
    price_out: float = Field(default=0.0, ge=0, le=1_000_000, allow_inf_nan=False)

    @property
    def local(self) -> bool:
        """Whether the address is of this machine or of a private network, as far as it says so itself."""
        host = urlsplit(self.address).hostname or ""
        address = number_of(host)
        if address is None:
            return host in _LOCAL_NAMES or host.endswith((".localhost", ".local", ".internal", ".lan"))
        return address.is_loopback or address.is_private

    @property
    def notes(self) -> list[Note]:
        """What the user should know of it: texts ``generation.note_<note>``."""
        if self.local:
            return ["local"]
        return ["plain"] if self.address.startswith("http:") else []

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


def all_services(file: Path) -> list[Service]:
    """Those that are kept in ``services.json``, in the order in which they were added."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return [Service.model_validate(one) for one in document["services"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        # The reason could quote the file, and with it a key.
        raise StudioError("generation.services_damaged", path=file) from error


def get(file: Path, name: str) -> Service:
    known = all_services(file)
    for service in known:
        if service.name == name:
            return service
    names = ", ".join(service.name for service in known) or "-"
    raise NotFound("generation.no_service", name=name[:40], known=names)


def add(
    file: Path,
    name: str,
    address: str,
    model: str,
    key: str = "",
    price_in: float = 0.0,
    price_out: float = 0.0,
) -> Service:
    """Keep a service, in the place of the one of that name; without a new key it keeps the key it had."""
    name, model, key = name.strip(), model.strip(), key.strip()
    if not _NAME.fullmatch(name):
        raise BadInput("generation.service_name", name=name[:80])
    if not model or len(model) > 200 or not model.isprintable():
        raise BadInput("generation.service_model", model=model[:80])
    if key and not _KEY.fullmatch(key):
        raise BadInput("generation.service_key", name=name)
    address = checked_address(address)
    try:
        service = Service(
            name=name,
            address=address,
            model=model,
            key=SecretStr(key),
            price_in=price_in,
            price_out=price_out,
        )
    except ValidationError as error:
        raise BadInput("generation.service_price", name=name) from error
    with _alone(file):
        known = {one.name: one for one in all_services(file)}
        before = known.get(name)
        if before is not None and not key and before.address == address:
            service = service.model_copy(update={"key": before.key})
        known[name] = service
        if len(known) > MOST:
            raise BadInput("generation.too_many_services", most=MOST)
        _write(file, list(known.values()))
    return service


def remove(file: Path, name: str) -> None:
    with _alone(file):
        get(file, name)
        _write(file, [one for one in all_services(file) if one.name != name])
    audit.note("service %r deleted", name)


def checked_address(address: str) -> str:
    """The address without what is understood by itself; raises ``BadInput`` that says what is wrong with it."""
    address = address.strip().rstrip("/")
    if len(address) > 500 or not address.isprintable() or " " in address:
        raise BadInput("generation.address_invalid", address=address[:80])
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput("generation.address_invalid", address=address[:80]) from error
    if parts.username is not None or parts.password is not None:
        raise BadInput("generation.address_credentials")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise BadInput("generation.address_invalid", address=address[:80])
    if is_refused(host) or is_disguised(host):
        raise BadInput("generation.address_refused", host=host)
    return address.removesuffix("/chat/completions").rstrip("/")


def _write(file: Path, services: list[Service]) -> None:
    kept: list[dict[str, Any]] = [
        {**service.model_dump(exclude={"key"}), "key": service.key.get_secret_value()} for service in services
    ]
    write_json(file, {"services": kept}, mode=0o600)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile."""
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
