"""A Hub on loopback: enough of its interface for datasets and models to be found, listed and fetched from it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """Datasets and models by name, each ``{path: bytes}``; ``asked`` are the requests that came."""

    datasets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the Hub says of a model besides its files, by its name."""
    delay: float = 0.0
    """Seconds before each answer."""
    gated: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"{self.command} {path}")
            time.sleep(hub.delay)
            name = next((name for name in hub.datasets if f"/datasets/{name}" in path), None)
            model = next((name for name in hub.models if f"/{name.lower()}/" in f"{path.lower()}/"), None)
            if path == "/api/models":
                self._search(parse_qs(urlsplit(self.path).query).get("search", [""])[0])
            elif model is not None and "/datasets/" not in path:
                self._model(model, path)
            elif name is None:
                self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
            elif name in hub.gated:
                self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
            elif path.startswith("/api/"):
                self._api(name, path.split(f"/datasets/{name}", 1)[1])
            else:
                _, _, commit_and_file = path.partition("/resolve/")
                self._file(hub.datasets[name].get(commit_and_file.partition("/")[2]))

        do_HEAD = do_GET

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = json.loads(self.rfile.read(length) or b"{}")
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"POST {path}")
            name = next(name for name in hub.datasets if f"/datasets/{name}" in path)
            wanted = asked.get("paths", [])
            self._json([entry for entry in _tree(hub.datasets[name]) if entry["path"] in wanted])

        def _api(self, name: str, rest: str) -> None:
            revision = rest.removeprefix("/revision/") if rest.startswith("/revision/") else "main"
            if rest.startswith("/tree/"):
                self._json(_tree(hub.datasets[name], rest.split("/", 3)[3:]))
            elif revision not in ("main", COMMIT):
                self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
            else:
                siblings = [{"rfilename": path} for path in hub.datasets[name]]
                self._json({"id": name, "sha": COMMIT, "private": False, "siblings": siblings, "tags": []})

        def _search(self, text: str) -> None:
            found = [name for name in hub.models if text.lower() in name.lower()]
            self._json([{"id": name, "tags": [], **hub.facts.get(name, {})} for name in found])

        def _model(self, name: str, path: str) -> None:
            files = hub.models[name]
            if "/tree/" in path:
                self._json(_tree(files))
            elif path.startswith("/api/models/"):
                siblings = [{"rfilename": path, "size": len(content)} for path, content in files.items()]
                told = {"id": name, "sha": COMMIT, "tags": [], "siblings": siblings}
                self._json(told | hub.facts.get(name, {}))
            elif name in hub.gated:
                self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
            else:
                self._file(files.get(path.rpartition("/")[2]))

        def _file(self, content: bytes | None) -> None:
            if content is None:
                self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            headers = {"ETag": '"etag"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            begin, _, end = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
            if begin:
                last = min(int(end or len(content)), len(content) - 1)
                headers["Content-Range"] = f"bytes {begin}-{last}/{len(content)}"
                self._answer(206, content[int(begin) : last + 1], headers)
            else:
                self._answer(200, content, headers)

        def _json(self, document: Any) -> None:
            self._answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _tree(files: dict[str, bytes], below: list[str] | None = None) -> list[dict[str, Any]]:
    """Files and folders, as the Hub lists them."""
    prefix = f"{below[0]}/" if below else ""
    folders = {path.rpartition("/")[0] for path in files if "/" in path}
    listed = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in sorted(folders)]
    listed += [
        {"type": "file", "path": path, "oid": "0" * 40, "size": len(content)}
        for path, content in files.items()
    ]
    return [entry for entry in listed if entry["path"].startswith(prefix)]
