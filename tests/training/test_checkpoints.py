"""A checkpoint counts when it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.training.checkpoints import SEAL, Found, find_newest, read_seal, remove, seal, step_of


def make(folder: Path, step: int) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "part").mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(bytes(range(200)))
    (checkpoint / "part/rng.pth").write_bytes(b"state")
    seal(checkpoint, step=step)
    return checkpoint


def test_the_newest_by_step_counts(tmp_path: Path) -> None:
    assert find_newest(tmp_path / "nothing") == Found(None, ())
    newest = [make(tmp_path, step) for step in (9, 80, 100)][-1]
    assert find_newest(tmp_path) == Found(newest, ())
    assert step_of(newest) == 100
    assert (read_seal(newest) or {})["step"] == 100


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "unsealed", "torn seal"])
def test_a_broken_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    before, newest = make(tmp_path, 1), make(tmp_path, 2)
    weights = newest / "model.safetensors"
    match damage:
        case "cut":
            weights.write_bytes(weights.read_bytes()[:-1])
        case "changed":
            weights.write_bytes(b"\xff" + weights.read_bytes()[1:])
        case "missing":
            (newest / "part/rng.pth").unlink()
        case "unsealed":
            (newest / SEAL).unlink()
        case "torn seal":
            (newest / SEAL).write_text((newest / SEAL).read_text(encoding="utf-8")[:30], encoding="utf-8")
    assert read_seal(newest) is None
    assert find_newest(tmp_path) == Found(before, ("checkpoint-2",))
    remove(newest)
    remove(before)
    assert find_newest(tmp_path) == Found(None, ())
    assert not list(tmp_path.iterdir())
