"""What is counted before a run starts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from core.data.examples import LabelledPair, LabelledText
from core.settings import ROOT
from core.training.engine import Parts
from core.training.estimate import count_leaks


def test_what_stands_on_both_sides_is_counted_exactly_and_nearly() -> None:
    train = [
        LabelledText("この店の料理はとても美味しくて、また来たいと思った。", "positive"),
        LabelledText("退屈な映画だった。", "negative"),
    ]
    validation = [
        LabelledText("退屈な映画だった。", "negative"),
        LabelledText("この店の料理はとても美味しくて、また来たいと思った！", "positive"),
        LabelledText("音が割れて聞きづらい。", "negative"),
    ]
    assert count_leaks(Parts(train, validation, ())) == (1, 1)


def test_a_pair_leaks_in_the_other_direction_too() -> None:
    train = [LabelledPair("猫が寝ている", "動物が寝ている", "entailment")]
    validation = [LabelledPair("動物が寝ている", "猫が寝ている", "neutral")]
    assert count_leaks(Parts(train, validation, ())) == (1, 0)


def test_memory_is_the_process_s_own_and_not_of_the_one_that_started_it() -> None:
    held = np.ones(125_000_000)  # 1 GB
    script = "from core.training.engine import peak_megabytes; print(peak_megabytes())"
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert 50 < float(told.stdout) < held.nbytes / 1e6
