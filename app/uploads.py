"""``/api/uploads``: files sent in chunks, which can go on where they stopped.

    POST   /api/uploads              {"name", "size"}          begin
    GET    /api/uploads/ID                                     how far it is
    PUT    /api/uploads/ID?offset=N  bytes                     the next chunk
    POST   /api/uploads/ID/finish    {"sha256"?}               check it
    DELETE /api/uploads/ID                                     cancel

Every answer is ``{"id", "name", "size", "received", "sha256", "chunk"}`` or, when refused,
``{"message"}``, a sentence in the reader's language; 409 also says how much was ``received``.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from app.i18n import language_of, say
from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.data import uploads
from studio_core.data.uploads import OtherOffset, Upload

# The body limit of the guard, said once more where it is used.
LARGEST_CHUNK = 8 << 20


class Beginning(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    # 4,096 is the longest path of Linux; what is kept of it is cut in ``uploads.checked_name``.
    name: Annotated[str, Field(min_length=1, max_length=4096)]
    # 2^50 bytes: the limits of the settings refuse far less, with a sentence.
    size: Annotated[int, Field(ge=0, lt=1 << 50)]


class Ending(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None


def routes(studio: Studio) -> APIRouter:
    settings = studio.settings
    receiving = uploads.Receiving(settings)
    router = APIRouter(prefix="/api/uploads")

    @router.post("")
    async def begin(request: Request) -> Response:
        return await _with_body(request, Beginning, lambda asked: receiving.begin(asked.name, asked.size))

    @router.get("/{id}")
    async def status(id: str, request: Request) -> Response:
        return await _answer(request, lambda: uploads.find(settings, id))

    @router.put("/{id}")
    async def add(id: str, request: Request) -> Response:
        offset = request.query_params.get("offset", "")
        # int() also takes "１", "-1" and a million digits.
        if not (offset.isascii() and offset.isdigit() and len(offset) < 16):
            return _refusal(request, BadInput("adding.bad_request"))
        try:
            chunk = await request.body()
        except ClientDisconnect:  # Nothing of it is kept, and nobody hears the answer.
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        if not 0 < len(chunk) <= LARGEST_CHUNK:
            return _refusal(request, BadInput("adding.bad_request"))
        return await _answer(request, lambda: receiving.add(id, int(offset), chunk))

    @router.post("/{id}/finish")
    async def finish(id: str, request: Request) -> Response:
        return await _with_body(request, Ending, lambda asked: receiving.finish(id, asked.sha256))

    @router.delete("/{id}")
    async def cancel(id: str, request: Request) -> Response:
        try:
            await run_in_threadpool(receiving.cancel, id)
        except StudioError as error:
            return _refusal(request, error)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router


async def _with_body(request: Request, kind: Any, work: Callable[[Any], Upload]) -> Response:
    try:
        asked = kind.model_validate_json(await request.body() or b"{}")
    except (ValidationError, ClientDisconnect):
        return _refusal(request, BadInput("adding.bad_request"))
    return await _answer(request, lambda: work(asked))


async def _answer(request: Request, work: Callable[[], Upload]) -> Response:
    try:
        # Hashing and disk: the loop serves everybody's pages meanwhile.
        upload = await run_in_threadpool(work)
    except StudioError as error:
        return _refusal(request, error)
    except FileNotFoundError:  # Cancelled in another tab meanwhile.
        return _refusal(request, NotFound("adding.no_upload"))
    return JSONResponse(
        {
            "id": upload.id,
            "name": upload.name,
            "size": upload.size,
            "received": upload.received,
            "sha256": upload.sha256,
            "chunk": uploads.CHUNK,
        }
    )


def _refusal(request: Request, error: StudioError) -> JSONResponse:
    status = {NotFound: HTTPStatus.NOT_FOUND, Conflict: HTTPStatus.CONFLICT, OtherOffset: HTTPStatus.CONFLICT}
    too_much = error.key in ("adding.too_big", "adding.quota", "adding.too_many", "adding.no_space")
    code = (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_much else status.get(type(error), HTTPStatus.BAD_REQUEST)
    )
    body = {"message": say(error.key, language_of(request), **error.values)}
    if isinstance(error, OtherOffset):
        body["received"] = error.received
    return JSONResponse(body, code)
