"""Start LLM入門ラボ: read the settings, open the services, serve the page."""

from __future__ import annotations

import logging
import os
import socket
import sys

from core.settings import Settings, read_settings

# Decided before anything reads them: no analytics, no telemetry, one OpenMP thread for models this small
# (two of them on two busy cores are twenty times slower than one).
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_WAITING = 2_048  # connections that may wait to be accepted


def main() -> None:
    """Serve until interrupted."""
    settings = read_settings(sys.argv[1:])
    os.environ["LAB_MODELS"] = str(settings.models)
    if settings.hub:
        os.environ["HF_HUB_CACHE"] = str(settings.hub)
    os.environ["LAB_WORKSPACE"] = str(settings.workspace)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    import uvicorn

    from tabs import EXHIBITS
    from tabs._kit.context import open_context
    from tabs._kit.server import create_app

    listener = _listen(settings)
    port = listener.getsockname()[1]
    app = create_app(EXHIBITS, open_context(settings))
    if port != settings.port and settings.port:
        sys.stdout.write(f"port {settings.port} is taken; using {port}\n")
    sys.stdout.write(f"LLM入門ラボ ({settings.mode}): http://{settings.host}:{port}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    """A listening socket on the wanted port, or on the next free one; who comes before the page is ready waits."""
    for port in (*range(settings.port, min(settings.port + 100, 65_536)), 0):
        listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, port))
            listener.listen(_WAITING)
        except OSError:
            listener.close()
        else:
            return listener
    raise SystemExit(f"no free port at {settings.host}")


if __name__ == "__main__":
    main()
