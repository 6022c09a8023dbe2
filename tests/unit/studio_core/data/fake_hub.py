"""A Hub on this machine that writes down what its client asks for: as much of it as a push needs."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_" + "x" * 30


@dataclass
class Hub:
    address: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Method and path, in order."""
    repos: dict[str, bool] = field(default_factory=dict)
    """Whether each repository is private."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What the commits have brought, by path; large files under their SHA-256."""
    commits: list[str] = field(default_factory=list)
    """The messages of the commits."""
    refuse: tuple[int, str] | None = None
    """Status and message with which every write is answered."""


@contextmanager
def fake_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._seen()
            repo = self.path.removeprefix("/api/datasets/").removeprefix("/api/models/")
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._answer(401, {"error": "Invalid username or password."})
            elif "/resolve/" in self.path:
                self._file(self.path.partition("/resolve/")[2].partition("/")[2])
            elif repo in hub.repos:
                self._answer(200, {"id": repo, "private": hub.repos[repo], "siblings": []})
            else:
                self._answer(404, {"error": "Repository not found"}, "RepoNotFound")

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self._seen()
            hub.files[self.path.rpartition("/")[2]] = self._body()
            self._answer(200, {})

        def do_POST(self) -> None:
            self._seen()
            body = self._body()
            if self.path == "/api/validate-yaml":
                self._answer(200, {"errors": [], "warnings": []})
            elif hub.refuse:
                self._answer(hub.refuse[0], {"error": hub.refuse[1]})
            elif self.path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                hub.repos[name] = asked["visibility"] == "private"
                self._answer(200, {"url": f"{hub.address}/datasets/{name}"})
            elif "/preupload/" in self.path:
                self._answer(200, {"files": [self._mode(file) for file in json.loads(body)["files"]]})
            elif self.path.endswith("/info/lfs/objects/batch"):
                objects = [self._upload(one) for one in json.loads(body)["objects"]]
                self._answer(200, {"transfer": "basic", "objects": objects})
            else:
                self._commit([json.loads(line) for line in body.splitlines()])
                repo = self.path.removeprefix("/api/").partition("/commit/")[0]
                url = f"{hub.address}/{repo}/commit/{'c' * 40}"
                self._answer(200, {"commitOid": "c" * 40, "commitUrl": url})

        def _file(self, path: str) -> None:
            if path not in hub.files:
                self._answer(404, {"error": "Entry not found"}, "EntryNotFound")
                return
            body = hub.files[path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", hashlib.sha256(body).hexdigest())
            self.send_header("X-Repo-Commit", "c" * 40)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def _mode(self, file: dict[str, Any]) -> dict[str, Any]:
            mode = "lfs" if file["path"].endswith(".parquet") else "regular"
            return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}

        def _upload(self, one: dict[str, Any]) -> dict[str, Any]:
            return {**one, "actions": {"upload": {"href": f"{hub.address}/lfs/{one['oid']}"}}}

        def _commit(self, lines: list[dict[str, Any]]) -> None:
            for line in lines:
                value = line["value"]
                if line["key"] == "header":
                    hub.commits.append(value["summary"])
                elif line["key"] == "file":
                    hub.files[value["path"]] = base64.b64decode(value["content"])
                else:
                    hub.files[value["path"]] = hub.files[value["oid"]]

        def _seen(self) -> None:
            hub.calls.append((self.command, self.path.partition("?")[0]))

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"] or 0))

        def _answer(self, status: int, document: Any, code: str = "") -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
