"""``services add | list | remove | test``."""

from __future__ import annotations

import getpass
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.base.errors import BadInput
from studio_core.generation import services
from studio_core.generation.asking import ask_once
from studio_core.generation.sampling import greedy
from studio_core.generation.services import Service
from studio_core.texts import text

cli = typer.Typer(help="Services: OpenAI-compatible endpoints and their API keys.")

Name = Annotated[str, typer.Argument(help="Name of the service.")]


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List the services. Keys are never printed."""
    rows = [_summary(service) for service in services.all_services(_file(home))]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["service", "address", "model", "key", "price_in", "price_out"])


@cli.command("add")
def add(
    name: Name,
    address: Annotated[
        str, typer.Option(help="Base URL, such as http://127.0.0.1:8000/v1 (without /chat/completions).")
    ],
    model: Annotated[str, typer.Option(help="Model name at the service.")],
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the API key from standard input (one line).")
    ] = False,
    key_variable: Annotated[
        str | None, typer.Option(help="Read the API key from this environment variable.")
    ] = None,
    price_in: Annotated[float, typer.Option(help="Price per million input tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option(help="Price per million output tokens.")] = 0.0,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add or replace a service. Without a new key, the stored one is kept."""
    key = key_from(key_stdin, key_variable)
    service = services.add(_file(home), name, address, model, key, price_in, price_out)
    if as_json:
        print_json(_summary(service))
        return
    print(text("generation.service_kept", name=service.name))
    for note in service.notes:
        print(text(f"generation.note_{note}"))


@cli.command("remove")
def remove(name: Name, home: Home = None) -> None:
    """Remove a service and its key."""
    services.remove(_file(home), name)
    print(text("generation.service_removed", name=name))


@cli.command("test")
def test(
    name: Name,
    timeout: Annotated[float, typer.Option(min=1.0, max=600.0, help="Timeout in seconds.")] = 30.0,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Send a short test prompt to a service."""
    service = services.get(_file(home), name)
    began = time.monotonic()
    answer = ask_once(service, [{"role": "user", "content": "Say OK."}], greedy(16), timeout)
    facts: dict[str, Any] = {
        "name": service.name,
        "answer": answer.text[:200],
        "seconds": round(time.monotonic() - began, 3),
        "tokens": answer.tokens_in + answer.tokens_out,
    }
    print_json(facts) if as_json else print(text("generation.service_works", **facts))


def _file(home: Path | None) -> Path:
    with opened(home) as studio:
        return studio.settings.home / services.FILE


def key_from(from_stdin: bool, variable: str | None) -> str:
    """From where no other user and no history sees it: never from the arguments."""
    if variable:
        key = os.environ.get(variable, "")
        if not key:
            raise BadInput("generation.no_key_variable", variable=variable)
        return key
    if not from_stdin:
        return ""
    return getpass.getpass("") if sys.stdin.isatty() else sys.stdin.readline().strip()


def _summary(service: Service) -> dict[str, Any]:
    return {
        "service": service.name,
        "address": service.address,
        "model": service.model,
        "key": text("generation.service_has_key") if service.key.get_secret_value() else None,
        "price_in": service.price_in,
        "price_out": service.price_out,
    }
