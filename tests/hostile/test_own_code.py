"""Code that a model brings along: only an administrator can let it run, by any way in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app import access
from app.cli import run
from app.parts import own_code as own_code_part
from studio_core import training
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.data import store
from studio_core.models import own_code, registry
from studio_core.people import accounts, sign_in
from studio_core.people.accounts import LOCAL, Account, Role
from studio_core.runs import queue
from studio_core.training import chains
from tests.people import NAMES, PASSWORD, add_all, cheap_hashes
from tests.unit.studio_core.models.folders import model_folder

__all__ = ["cheap_hashes"]

ADMINISTRATOR, TRAINER, ANNOTATOR = (
    Account(number, NAMES[role], role)
    for number, role in enumerate((Role.ADMINISTRATOR, Role.TRAINER, Role.ANNOTATOR), start=1)
)


@pytest.fixture
def folder(studio: Studio) -> Path:
    """A model with code of its own, where all may read."""
    path = model_folder(studio.settings.models / "coder", auto_map={"AutoModel": "modeling.Model"})
    (path / "modeling.py").write_text("raise SystemExit('it ran')")
    return path


@pytest.fixture
def people(studio: Studio) -> None:
    add_all(studio)


def request(account: Account) -> Any:
    scope = {access._WHO: account}
    return SimpleNamespace(request=SimpleNamespace(scope=scope), client=SimpleNamespace(host="192.0.2.7"))


def trusted(studio: Studio) -> list[str]:
    return [model.name for model in registry.all_models(studio) if model.trust_remote_code]


def on_the_page(account: Account, password: object, trust: object = True) -> Callable[[Studio, str], object]:
    def attempt(studio: Studio, source: str) -> object:
        code = own_code_part.consent(studio, source, trust, password, request(account))
        return registry.add(studio, source, own_code=code)

    return attempt


def in_core(account: Account, password: str = PASSWORD) -> Callable[[Studio, str], object]:
    def attempt(studio: Studio, source: str) -> object:
        code = own_code.consent(studio, source, account, password=password, address="192.0.2.7")
        return registry.add(studio, source, own_code=code)

    return attempt


def for_another(studio: Studio, source: str) -> object:
    other = own_code.consent(studio, "/other", ADMINISTRATOR, password=PASSWORD)
    return registry.add(studio, source, own_code=other)


def demoted(studio: Studio, source: str) -> object:
    """Somebody whose open page still says administrator."""
    accounts.set_role(studio, NAMES[Role.TRAINER], Role.ADMINISTRATOR)
    accounts.set_role(studio, NAMES[Role.TRAINER], Role.TRAINER)
    return in_core(Account(2, NAMES[Role.TRAINER], Role.ADMINISTRATOR))(studio, source)


def disabled(studio: Studio, source: str) -> object:
    accounts.set_role(studio, NAMES[Role.TRAINER], Role.ADMINISTRATOR)
    accounts.set_disabled(studio, NAMES[Role.ADMINISTRATOR], True)
    return in_core(ADMINISTRATOR)(studio, source)


def spec(source: str, **more: Any) -> Callable[[Studio], object]:
    values = {"method": "sft", "model": source, "dataset": "tiny-sft-chat", **more}
    return lambda studio: training.submit(studio, training.from_yaml(json.dumps(values)))


ATTEMPTS: dict[str, Callable[[Studio, str], object]] = {
    "a trainer on the page": on_the_page(TRAINER, PASSWORD),
    "an annotator on the page": on_the_page(ANNOTATOR, PASSWORD),
    "a trainer without a password": on_the_page(TRAINER, ""),
    "a trainer with a list for a password": on_the_page(TRAINER, [PASSWORD]),
    "an administrator who does not give the password": on_the_page(ADMINISTRATOR, None),
    "an administrator with a wrong password": on_the_page(ADMINISTRATOR, "wrong horse battery"),
    "a box that is ticked by a word": on_the_page(TRAINER, PASSWORD, trust="true"),
    "a box that is ticked by a number": on_the_page(TRAINER, PASSWORD, trust=1),
    "a trainer who calls the function": in_core(TRAINER),
    "a trainer who says to be an administrator": demoted,
    "the local user, where there are accounts": in_core(LOCAL),
    "somebody who does not exist": in_core(Account(9, "nobody", Role.ADMINISTRATOR)),
    "an administrator whose account is disabled": disabled,
    "the consent to another model": for_another,
    "no consent at all": lambda studio, source: registry.add(studio, source),
    "a model named where one is chosen": lambda studio, source: registry.find_or_add(studio, source),
    "a model named in a training": lambda studio, source: spec(source)(studio),
    "a training that says trust_remote_code": lambda studio, source: spec(source, trust_remote_code=True)(studio),
    "an option that says trust_remote_code": (
        lambda studio, source: spec(source, options={"trust_remote_code": True})(studio)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTEMPTS)
@pytest.mark.usefixtures("people")
def test_nobody_else_lets_a_models_code_run(studio: Studio, folder: Path, name: str) -> None:
    store.ensure_samples(studio)
    with pytest.raises(StudioError):
        ATTEMPTS[name](studio, str(folder))
    assert trusted(studio) == []


COMMANDS: dict[str, tuple[list[str], str]] = {
    "no administrator named": ([], ""),
    "a trainer named": (["--administrator", "tom", "--password-stdin"], PASSWORD),
    "nobody's name": (["--administrator", "eve", "--password-stdin"], PASSWORD),
    "a wrong password": (["--administrator", "ann", "--password-stdin"], "wrong horse battery"),
    "an empty password": (["--administrator", "ann", "--password-stdin"], ""),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("people")
def test_nor_does_the_command_line(
    studio: Studio, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    more, typed = COMMANDS[name]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=lambda: f"{typed}\n", isatty=lambda: False))
    home = str(studio.settings.home)
    assert run(["--home", home, "models", "add", str(folder), "--trust-remote-code", *more]) == 2
    assert trusted(studio) == []


@pytest.mark.usefixtures("people")
def test_an_administrator_does_with_the_password_and_it_is_in_the_log(
    studio: Studio, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tunesmith.accounts"):
        on_the_page(ADMINISTRATOR, PASSWORD)(studio, str(folder))
    assert trusted(studio) == ["coder"]
    assert f"own code of model 'coder' ({folder}) allowed by 'ann' from 192.0.2.7" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.usefixtures("people")
def test_the_command_line_does_with_an_administrators_password(
    studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=lambda: f"{PASSWORD}\n"))
    more = ["--trust-remote-code", "--administrator", "ann", "--password-stdin"]
    assert run(["--home", str(studio.settings.home), "models", "add", str(folder), *more]) == 0
    assert trusted(studio) == ["coder"]


def test_without_accounts_whoever_sits_here_does(studio: Studio, folder: Path) -> None:
    on_the_page(LOCAL, "")(studio, str(folder))
    assert trusted(studio) == ["coder"]


def test_consent_is_not_kept_for_code_that_comes_later(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "plain")
    in_core(LOCAL)(studio, str(folder))
    assert trusted(studio) == []


@pytest.mark.usefixtures("people")
def test_wrong_passwords_for_consent_are_counted_as_failures_to_sign_in(studio: Studio, folder: Path) -> None:
    with pytest.raises(sign_in.LockedOut):
        for _ in range(100):
            with pytest.raises(BadInput) as refused:
                in_core(ADMINISTRATOR, "wrong horse battery")(studio, str(folder))
            if isinstance(refused.value, sign_in.LockedOut):
                raise refused.value


@pytest.mark.usefixtures("people")
def test_consent_leaves_no_session_behind(studio: Studio, folder: Path) -> None:
    in_core(ADMINISTRATOR)(studio, str(folder))
    with studio.db.read() as session:
        assert session.execute(accounts.select(accounts.func.count(accounts.UserSession.id))).scalar() == 0


def withdrawn(studio: Studio, folder: Path) -> Model:
    """A model whose code was allowed, and is not any more."""
    in_core(LOCAL)(studio, str(folder))
    model = registry.get(studio, "coder")
    with studio.db.write() as session:
        session.get_one(Model, model.id).trust_remote_code = False
    return model


def queued(studio: Studio, model: Model, where: str) -> Job:
    named = {"id": model.id, "name": model.name, "path": model.path, "trust_remote_code": True}
    run = {"model": named} if where == "model" else {"models": {"judge": named}}
    return queue.submit(studio, kind="train", name="x", method="sft", spec={"run": run, "model": "coder"})


@pytest.mark.parametrize("where", ["model", "models"])
def test_a_job_from_before_does_not_run_it_once_it_is_withdrawn(
    studio: Studio, folder: Path, where: str
) -> None:
    job = queued(studio, withdrawn(studio, folder), where)
    with pytest.raises(BadInput) as refused:
        chains.settle(studio, job)
    assert refused.value.key == "models.code_withdrawn"


def test_a_job_that_names_no_model_of_the_studio_runs_no_code(studio: Studio) -> None:
    path = str(bundled_folder() / "models" / "tiny-chat")
    nobodys = Model(id=99, name="x", path=path)
    with pytest.raises(BadInput):
        chains.settle(studio, queued(studio, nobodys, "model"))
