"""How alike texts are by the characters they share: a teacher that needs no labels, for vectors to rank by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from torch import Tensor

_BLOCK = 256  # texts compared with all others at once


def weigh_characters(texts: Sequence[str]) -> csr_matrix:
    """Each text as the tf-idf of its characters, of length 1: (N, V). A text of white space alone is zero.

    A character counts the more the fewer of `texts` hold it, and ``1 + ln n`` where it stands n times.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=lambda text: list("".join(text.split())) or [""], sublinear_tf=True)
    return vectorizer.fit_transform(texts).astype(np.float32).tocsr()


def find_nearest(weights: csr_matrix, count: int) -> npt.NDArray[np.int64]:
    """The places of the `count` most alike other texts of each, in no order: (N, count or N − 1)."""
    size = weights.shape[0]
    count = min(count, size - 1)
    found = np.zeros((size, count), dtype=np.int64)
    for start in range(0, size, _BLOCK):
        part = slice(start, min(start + _BLOCK, size))
        cosines = (weights[part] @ weights.T).toarray()
        cosines[np.arange(len(cosines)), np.arange(part.start, part.stop)] = -1
        found[part] = np.argpartition(-cosines, count - 1, axis=1)[:, :count] if count else 0
    return found


def compare_rankings(found: Tensor, taught: Tensor, *, temperature: float) -> Tensor:
    """How far the cosines `found` (N, N) are from ranking as those `taught` (N, N): a scalar, nats.

    For each text the others are a distribution, ``softmax(cosine / temperature)``; this is the mean Kullback-Leibler
    divergence of what was found from what was taught. A text itself is left out.

    Source: Liu et al. 2023, "RankCSE", 3.3 (ListNet), with another teacher.
    """
    import torch
    from torch.nn import functional

    if len(found) < 3:  # with one other text there is nothing to rank
        return found.sum() * 0
    itself = torch.eye(len(found), dtype=torch.bool, device=found.device)
    ours, theirs = (
        (cosines.float() / temperature).masked_fill(itself, -1e4).log_softmax(dim=1) for cosines in (found, taught)
    )
    return functional.kl_div(ours, theirs, log_target=True, reduction="batchmean")
