"""How the validation pairs of JNLI are shared out between training and validation: its training part is not to hand.

The pairs stand in both directions and share sentences and pictures. What hangs together stays on one side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from core.data.splits import normalize_content

KEPT_SHARE = 434 / 2434  # 2,000 of the 2,434 pairs train
SEED = 3  # of the first hundred, the one whose kept labels are shared out most like those of the whole file


def split_jnli(
    rows: Sequence[Mapping[str, Any]], *, share: float = KEPT_SHARE, seed: int = SEED
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Cut pairs into a part to train on and a part that is kept, each in the order they came in.

    Args:
        rows: with ``sentence1``, ``sentence2`` and, where there is one, ``yjcaptions_id``, which begins with the number
            of the picture that both sentences tell of.
        share: of the rows to keep; met as nearly as the groups allow.
        seed: for another split.

    Returns:
        Parts without a sentence or a picture in common. The order of the rows does not change what they hold.
    """
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(_name_groups(rows)):
        groups.setdefault(name, []).append(index)
    wanted = round(share * len(rows))
    kept: set[int] = set()
    for name in sorted(groups, key=lambda name: hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()):
        if len(kept) + len(groups[name]) <= wanted:
            kept.update(groups[name])
    return (
        [row for index, row in enumerate(rows) if index not in kept],
        [row for index, row in enumerate(rows) if index in kept],
    )


def _name_groups(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each row the smallest of the sentences and pictures that hang together with it."""
    parents: dict[str, str] = {}

    def find(name: str) -> str:
        parents.setdefault(name, name)
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    for row in rows:
        names = [normalize_content(str(row["sentence1"])), normalize_content(str(row["sentence2"]))]
        if picture := str(row.get("yjcaptions_id") or "").partition("-")[0]:
            names.append(f"\0{picture}")
        roots = sorted(map(find, names))
        for root in roots[1:]:
            parents[root] = roots[0]
    return [find(normalize_content(str(row["sentence1"]))) for row in rows]
