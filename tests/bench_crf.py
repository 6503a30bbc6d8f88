"""CRF decoding beside pytorch-crf, on the same emissions: ``python -m tests.bench_crf``.

pytorch-crf is no dependency of the project: ``pip install --target DIR pytorch-crf`` and put DIR on PYTHONPATH.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from core.tasks.crf import LinearChainCrf

BATCH, LENGTH, LABELS = 64, 128, 17
ROUNDS = 15


def measure(*functions: Callable[[], Any]) -> list[float]:
    """The shortest of some rounds of each, in milliseconds; in turn, for others may be at work on the machine."""
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[index] = min(best[index], 1e3 * (time.perf_counter() - start))
    return best


def compare() -> dict[str, float]:
    """Milliseconds for a batch, decoding and one training step (likelihood and gradients), ours and theirs.

    Raises:
        ModuleNotFoundError: pytorch-crf is not installed.
        AssertionError: the two do not agree.
    """
    torch.manual_seed(0)
    theirs = importlib.import_module("torchcrf").CRF(LABELS, batch_first=True)
    ours = LinearChainCrf(LABELS)
    with torch.no_grad():
        for mine, other in (("start", "start"), ("matrix", ""), ("end", "end")):
            name = f"{other}_transitions".removeprefix("_")
            getattr(ours, mine).copy_(getattr(theirs, name).normal_())
    emissions = torch.randn(BATCH, LENGTH, LABELS)
    labels = torch.randint(LABELS, (BATCH, LENGTH))
    mask = torch.arange(LENGTH) < torch.randint(LENGTH // 2, LENGTH + 1, (BATCH, 1))
    mask[0] = True

    decoded = ours.decode(emissions, mask).labels
    expected = theirs.decode(emissions, mask)
    assert [row[kept].tolist() for row, kept in zip(decoded, mask, strict=True)] == expected
    likelihood = ours(emissions, labels, mask).mean()
    assert torch.allclose(likelihood, theirs(emissions, labels, mask, reduction="mean"), rtol=1e-4)

    decode, decode_theirs, step, step_theirs = measure(
        lambda: ours.decode(emissions, mask),
        lambda: theirs.decode(emissions, mask),
        lambda: ours(emissions, labels, mask).mean().backward(),
        lambda: theirs(emissions, labels, mask, reduction="mean").backward(),
    )
    return {
        "decode_ms": decode,
        "decode_pytorch_crf_ms": decode_theirs,
        "step_ms": step,
        "step_pytorch_crf_ms": step_theirs,
    }


def describe() -> str:
    """The comparison as a table, or that the library is missing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = compare()
    except ModuleNotFoundError as error:
        return f"CRF: {error.name} (pytorch-crf) is not installed, so nothing was compared.\n"
    finally:
        torch.set_num_threads(threads)
    lines = [f"{'CRF against pytorch-crf, milliseconds':44} {'theirs':>8} {'ours':>8} {'ratio':>9}"]
    for name, label in (("decode", "decoding (goal 5 or more)"), ("step", "likelihood and gradients")):
        theirs, ours = found[f"{name}_pytorch_crf_ms"], found[f"{name}_ms"]
        lines.append(f"{f'  {label}':44} {theirs:8.1f} {ours:8.1f} {theirs / ours:8.2f}×")
    compared = (
        f"Compared: the same {BATCH} sentences of up to {LENGTH} emissions for {LABELS} labels, the shortest of "
        f"{ROUNDS} turns each, on one thread;\nlabels and likelihoods agree."
    )
    return "\n".join([*lines, compared]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe())
