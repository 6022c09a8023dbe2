"""What is answered to a request whose parts or body are not what its address takes."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request

from app.i18n import language_of, say


def answer_invalid_request(request: Request, error: Exception) -> Response:
    """One sentence that names the first thing that will not do. What was sent is not sent back, as FastAPI would:
    JSON that was read with NaN or half a character in it cannot even be written."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    # The name of a field is the sender's own text: cut, and without halves of characters.
    values = {"name": name[:80].encode(errors="replace").decode(), "reason": first["msg"]}
    return JSONResponse({"error": say("shell.refused_body", language_of(request), **values)}, status_code=422)
