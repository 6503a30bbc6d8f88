"""JGLUE, the benchmark of chapter 5, and the bundled sample of the same form for each of its sets (book 5.1.2, 5.1.3).

Numbers are those of the book and of JGLUE's own README (Kurihara et al. 2022). The sets themselves are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# By sample: the task that it is data for.
TASKS: Mapping[str, str] = MappingProxyType(
    {
        "reviews": "classification",
        "inference": "pair-classification",
        "similarity": "similarity",
        "choices": "multiple-choice",
        "quiz": "reading",
        "entities": "tagging",
        "articles": "headline",
    }
)
SAMPLES = tuple(TASKS)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One set of JGLUE: examples for training, validation and test; what it is scored by; the English set of its kind.

    `sample` is the bundled one of the same form, '' where there is none. Validation sets may come in two.
    """

    name: str
    train: int
    validation: tuple[int, ...]
    test: int | None
    metrics: tuple[str, ...]
    english: str
    sample: str = ""


JGLUE: tuple[Benchmark, ...] = (
    Benchmark("MARC-ja", 187_528, (5_654,), 5_639, ("accuracy",), "SST-2 (GLUE)", "reviews"),
    Benchmark("JCoLA", 6_919, (865, 685), None, ("accuracy",), "CoLA (GLUE)"),
    Benchmark("JSTS", 12_451, (1_457,), 1_589, ("pearson", "spearman"), "STS-B (GLUE)", "similarity"),
    Benchmark("JNLI", 20_073, (2_434,), 2_508, ("accuracy",), "MNLI (GLUE)", "inference"),
    Benchmark("JSQuAD", 62_697, (4_442,), 4_420, ("exact_match", "f1"), "SQuAD", "quiz"),
    Benchmark("JCommonsenseQA", 8_939, (1_119,), 1_118, ("accuracy",), "CommonsenseQA", "choices"),
)


def find_benchmark(sample: str) -> Benchmark | None:
    """The set of JGLUE that has the form of a sample."""
    return next((one for one in JGLUE if one.sample == sample), None)
