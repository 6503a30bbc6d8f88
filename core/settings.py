"""Settings of the app: one table that the command line, the README and a test all read."""

from __future__ import annotations

import argparse
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mode = Literal["local", "workshop", "public"]
MODES: tuple[Mode, ...] = ("local", "workshop", "public")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Setting:
    """One row: the option ``--name``, its environment variable, its default and what it does."""

    name: str
    variable: str
    default: str
    meaning: str
    choices: tuple[str, ...] = ()


SETTINGS = (
    Setting(
        "host",
        "LAB_HOST",
        "127.0.0.1",
        "address to listen on; 0.0.0.0 opens the app to the network, and needs a password",
    ),
    Setting("port", "LAB_PORT", "7860", "port to listen on; when it is taken, the next free one is used and named"),
    Setting("mode", "LAB_MODE", "local", "what visitors may do; public by itself on a Hugging Face Space", MODES),
    Setting("workspace", "LAB_WORKSPACE", "workspace", "folder for visitors' files and jobs"),
    Setting("models", "LAB_MODELS", "assets/models", "folder of the bundled models"),
    Setting("hub", "LAB_HUB", "", "folder of models of the Hub, filled by `prefetch`; else the Hub client's cache"),
    Setting("password", "LAB_PASSWORD", "", "password every visitor must give, as user `lab`; for a workshop"),
)


@dataclass(frozen=True)
class Settings:
    """The settings of one run of the app."""

    host: str
    port: int
    mode: Mode
    workspace: Path
    models: Path
    password: str = ""
    hub: Path | None = None


@dataclass(frozen=True)
class Limits:
    """What one mode allows; characters, bytes, seconds and counts."""

    text_characters: int
    upload_bytes: int
    workspace_bytes: int
    workspace_seconds: int
    hub_models: bool  # any id of the Hub; otherwise only the catalogue in `core.presets`
    local_folders: bool  # a folder of the machine as a model
    downloads: bool  # a model of the catalogue fetched from the Hub
    jobs_waiting: int
    requests_per_minute: int  # of one visitor; 0 for no limit
    requests_per_address: int  # in a minute, of all behind one address: a class shares one
    training: bool = True  # also a head that is trained again and again to doubt labels
    pickles: bool = False  # weights of the catalogue that are published as a pickle only; nothing but tensors is read
    tracebacks: bool = False  # a defect is shown with its traceback; otherwise with a number that the log explains


LIMITS: Mapping[Mode, Limits] = {
    "local": Limits(
        8_000, 50_000_000, 2_000_000_000, 30 * 86_400, True, True, True, 20, 0, 0, pickles=True, tracebacks=True
    ),
    "workshop": Limits(2_000, 5_000_000, 200_000_000, 7 * 86_400, False, False, True, 60, 0, 0),
    "public": Limits(512, 1_000_000, 20_000_000, 3_600, False, False, False, 20, 120, 1_200, training=False),
}


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the command line, then the environment, then the table's defaults.

    Raises:
        SystemExit: an option is unknown or has a value outside its choices (argparse says which).
    """
    parser = argparse.ArgumentParser(prog="app.py", description="LLM入門ラボ (LLM Nyumon Lab)")
    on_space = "SPACE_ID" in environment
    on_a_space = {"mode": "public", "host": "0.0.0.0"} if on_space else {}
    for setting in SETTINGS:
        default = environment.get(setting.variable) or on_a_space.get(setting.name, setting.default)
        parser.add_argument(
            f"--{setting.name}",
            default=default,
            choices=setting.choices or None,
            help=f"{setting.meaning} [{setting.variable}; {setting.default or 'none'}]",
        )
    chosen = parser.parse_args(arguments)
    if chosen.mode not in MODES:  # argparse does not check a default, and this one may come from the environment
        parser.error(f"LAB_MODE: {chosen.mode!r} is not one of {', '.join(MODES)}")
    if not chosen.port.isdecimal() or not 0 <= int(chosen.port) < 65_536:
        parser.error(f"port: {chosen.port!r} is not a number from 0 to 65535")
    if chosen.mode != "public" and not chosen.password and not _is_here(chosen.host):
        parser.error(f"host: {chosen.host} opens the app to the network; set LAB_PASSWORD, or --mode public")
    return Settings(
        host=chosen.host,
        port=int(chosen.port),
        mode=chosen.mode,
        workspace=_under_root(chosen.workspace),
        models=_under_root(chosen.models),
        password=chosen.password,
        hub=_under_root(chosen.hub) if chosen.hub else None,
    )


def _is_here(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def settings_table() -> str:
    """The table as Markdown, for the README."""
    rows = [
        f"| `--{s.name}` | `{s.variable}` | {f'`{s.default}`' if s.default else '–'} | {s.meaning} |" for s in SETTINGS
    ]
    return "\n".join(("| option | variable | default | meaning |", "|---|---|---|---|", *rows))


def _under_root(path: str) -> Path:
    return (ROOT / path).resolve()
