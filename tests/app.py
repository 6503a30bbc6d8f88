"""The app as a visitor's computer sees it: its own process, a free port, a workspace of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_SECONDS = 120.0


@dataclass(frozen=True)
class RunningApp:
    """A launched app; `log` is the file that takes everything it prints."""

    url: str
    port: int
    workspace: Path
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def launched(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[RunningApp]:
    """Start ``app.py`` on a free port, wait until it listens, stop it in the end.

    Raises:
        TimeoutError: it did not say its address in time; the log is in the message.
    """
    log, workspace = folder / "app.log", folder / "workspace"
    command = [sys.executable, "app.py", "--port", "0", "--workspace", str(workspace), *arguments]
    variables = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
    }
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT, env=variables | dict(environment or {})
        )
        try:
            url = _address(log, process)
            yield RunningApp(url, int(url.rpartition(":")[2]), workspace, log, process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://\S+", log.read_text(encoding="utf-8")):
            return found.group()
        time.sleep(0.05)
    raise TimeoutError(log.read_text(encoding="utf-8"))


class CuttableProxy:
    """A TCP relay in front of the app whose cable can be pulled and plugged in again."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._open: set[socket.socket] = set()
        self._connected = threading.Event()
        self._connected.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        self._connected.clear()
        for end in list(self._open):
            self._hang_up(end)

    def mend(self) -> None:
        """Let connections through again."""
        self._connected.set()

    def close(self) -> None:
        """Stop listening."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._connected.is_set():
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            for source, sink in ((client, server), (server, client)):
                self._open.add(source)
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        self._hang_up(source)
        self._hang_up(sink)

    def _hang_up(self, end: socket.socket) -> None:
        self._open.discard(end)
        with suppress(OSError):  # the other side was quicker
            end.shutdown(socket.SHUT_RDWR)
        end.close()
