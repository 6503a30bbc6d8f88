from __future__ import annotations

import pytest

from core.settings import LIMITS, MODES, SETTINGS, read_settings


def test_the_table_feeds_the_command_line_and_the_environment() -> None:
    for setting in SETTINGS:
        value = {"port": "1234", "mode": "workshop", "host": "localhost"}.get(setting.name, "somewhere")
        by_option = read_settings([f"--{setting.name}", value], {})
        by_variable = read_settings([], {setting.variable: value})
        assert by_option == by_variable != read_settings([], {})


def test_an_option_outranks_its_variable() -> None:
    assert read_settings(["--port", "1"], {"LAB_PORT": "2"}).port == 1


def test_a_space_is_public_by_itself() -> None:
    settings = read_settings([], {"SPACE_ID": "someone/lab"})
    assert (settings.mode, settings.host) == ("public", "0.0.0.0")
    assert read_settings([], {}).mode == "local"
    assert read_settings([], {}).host == "127.0.0.1"


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--port", "70000"], ["--mode", "open"], ["--nothing"]])
def test_nonsense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(arguments, {})
    assert capsys.readouterr().err
    with pytest.raises(SystemExit):
        read_settings([], {"LAB_MODE": "open"})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.2", "::", "laptop.local"])
def test_the_network_needs_a_password_or_the_public_mode(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("local", "workshop"):
        with pytest.raises(SystemExit):
            read_settings(["--host", host, "--mode", mode], {})
        assert "LAB_PASSWORD" in capsys.readouterr().err
        assert read_settings(["--host", host, "--mode", mode], {"LAB_PASSWORD": "secret"}).host == host
    assert read_settings(["--host", host, "--mode", "public"], {}).host == host
    for own in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        assert read_settings(["--host", own], {}).host == own


def test_limits_tighten_from_local_to_public() -> None:
    local, workshop, public = (LIMITS[mode] for mode in MODES)
    assert local.text_characters > workshop.text_characters > public.text_characters
    assert local.upload_bytes > workshop.upload_bytes > public.upload_bytes
    assert (local.hub_models, workshop.hub_models, public.hub_models) == (True, False, False)
    assert (local.pickles, workshop.pickles, public.pickles) == (True, False, False)
    assert (local.training, workshop.training, public.training) == (True, True, False)
