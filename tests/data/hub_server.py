"""A small Hugging Face Hub: repositories of data sets and models, read by the routes that the real client uses."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]  # path in the repository -> content
Repository = Mapping[str, Files]  # revision -> files


LARGE = (".safetensors", ".bin")  # files that are stored apart from git, as the Hub does


def commit_of(repository: str, revision: str, files: Files) -> str:
    """The commit id of a revision, which changes with its files."""
    told = "".join(f"{name} {git_id(content)}" for name, content in sorted(files.items()))
    return hashlib.sha1(f"{repository}@{revision} {told}".encode()).hexdigest()


def git_id(content: bytes) -> str:
    """What git calls a file with this content."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


class HubServer(ThreadingHTTPServer):
    """Serves data sets and `models`; ``requests`` lists what was asked for.

    `pace` is the bytes of a file that travel in a second, 0 for as fast as they can. `ranges` are the places in the
    middle of a file from which it was asked for. `altered` are names of files whose last byte is changed on the way, so
    many times.
    """

    daemon_threads = True  # a visitor who hung up in the middle of a file does not hold up the end of a test

    def __init__(self, repositories: Mapping[str, Repository], models: Mapping[str, Repository]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.models = models
        self.pace = 0.0
        self.broken: frozenset[str] = frozenset()  # names of files that are listed and cannot be sent
        self.gated: frozenset[str] = frozenset()
        self.requests: list[str] = []
        self.ranges: list[int] = []
        self.altered: dict[str, int] = {}
        self.commits: dict[tuple[str, str], str] = {}

    def commit(self, repository: str, revision: str, files: Files) -> str:
        """`commit_of`, computed once."""
        key = (repository, revision)
        if key not in self.commits:
            self.commits[key] = commit_of(repository, revision, files)
        return self.commits[key]

    def publish(self, name: str, files: Files) -> str:
        """A new state of a model's branch ``main``; the old one stays under its commit. Returns the new commit."""
        before = self.models[name]["main"]
        old = self.commit(name, "main", before)
        self.models = {**self.models, name: {**self.models[name], old: before, "main": files}}
        self.commits[name, old] = old
        del self.commits[name, "main"]
        return self.commit(name, "main", files)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serve(
    repositories: Mapping[str, Repository], *, models: Mapping[str, Repository] = MappingProxyType({})
) -> Iterator[HubServer]:
    """Run a Hub in a thread."""
    server = HubServer(repositories, models)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        api = path.startswith("/api/")
        prefix = next(p for p in ("/api/datasets/", "/api/models/", "/datasets/", "/") if path.startswith(p))
        repositories = self.server.repositories if "datasets" in prefix else self.server.models
        rest = path.removeprefix(prefix)
        name = "/".join(rest.split("/")[:2])
        if name not in repositories:
            return self._send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if name in self.server.gated:
            return self._send(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
        rest = rest.removeprefix(name).strip("/")
        verb, _, rest = rest.partition("/") if rest else ("revision", "", "main")
        found = next(
            (
                (revision, files, rest.removeprefix(prefix).strip("/"))
                for revision, files in repositories[name].items()
                for prefix in (revision, self.server.commit(name, revision, files))
                if rest == prefix or rest.startswith(f"{prefix}/")
            ),
            None,
        )
        if found is None:
            return self._send(404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
        revision, files, place = found
        commit = self.server.commit(name, revision, files)
        if api and verb == "revision":
            siblings = [{"rfilename": file, "size": len(content)} for file, content in files.items()]
            return self._send(
                200,
                {"_id": commit, "id": name, "sha": commit, "private": False, "gated": False, "disabled": False,
                 "downloads": 0, "likes": 0, "tags": [], "siblings": siblings},
            )  # fmt: skip
        if api and verb == "tree":
            return self._send_tree(files, place)
        if self.command == "GET" and place in self.server.broken:
            return self._send(500, {"error": "broken"})
        if not api and verb == "resolve" and place in files:
            return self._send_file(place, files[place], commit)
        return self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})

    def _send_tree(self, files: Files, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        recursive = "recursive=true" in self.path.lower()
        entries: dict[str, dict[str, Any]] = {}
        for path, content in files.items():
            if not path.startswith(prefix):
                continue
            first, _, deeper = path.removeprefix(prefix).partition("/")
            if deeper:
                directory = prefix + first
                entries[directory] = {"type": "directory", "path": directory, "oid": "0" * 40, "size": 0}
                if not recursive:
                    continue
            entries[path] = {"type": "file", "path": path, "oid": git_id(content), "size": len(content)}
            if path.endswith(LARGE):
                stored = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
                entries[path] |= {"lfs": stored}
        if prefix and not entries:
            return self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        return self._send(200, list(entries.values()))

    def _send_file(self, name: str, content: bytes, commit: str) -> None:
        mark = hashlib.sha256(content).hexdigest() if name.endswith(LARGE) else git_id(content)
        if self.command == "GET" and self.server.altered.get(name, 0):
            self.server.altered[name] -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        first, last = 0, len(content) - 1
        if wanted := self.headers.get("Range"):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
            if first:
                self.server.ranges.append(first)
        body = content[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{mark}"')
        self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self._finish(body, "application/octet-stream")

    def _send(self, status: int, value: Any, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self._finish(json.dumps(value).encode(), "application/json")

    def _finish(self, body: bytes, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        step = max(int(self.server.pace / 20), 1) if self.server.pace and kind == "application/octet-stream" else 0
        with suppress(ConnectionError):  # the visitor has hung up
            for start in range(0, len(body), step or len(body) or 1):
                self.wfile.write(body[start : start + step] if step else body)
                time.sleep(0.05 if step else 0)
