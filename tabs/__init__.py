"""The exhibits, in the order of the book."""

from __future__ import annotations

from tabs import positions
from tabs._kit.exhibit import Exhibit
from tabs.analysis import calibration, errors, label_errors, rewriting, rivals, shortcuts, slices
from tabs.attention import (
    ablation,
    attribution,
    comparison,
    crossing,
    filling,
    input_layers,
    lens,
    masking,
    overview,
    steps,
)
from tabs.datasets import batch, dataset
from tabs.encoders import comparison as encoders
from tabs.encoders import disentangled
from tabs.tokens import comparison as tokenizers
from tabs.tokens import counting, merges, pipeline, unigram, vocabulary, wordpiece
from tabs.tour import visit
from tabs.training import formats, launch

EXHIBITS: tuple[Exhibit, ...] = (
    visit.EXHIBIT,
    positions.EXHIBIT,
    steps.EXHIBIT,
    overview.EXHIBIT,
    comparison.EXHIBIT,
    ablation.EXHIBIT,
    attribution.EXHIBIT,
    crossing.EXHIBIT,
    lens.EXHIBIT,
    masking.EXHIBIT,
    input_layers.EXHIBIT,
    filling.EXHIBIT,
    merges.EXHIBIT,
    wordpiece.EXHIBIT,
    pipeline.EXHIBIT,
    tokenizers.EXHIBIT,
    unigram.EXHIBIT,
    vocabulary.EXHIBIT,
    counting.EXHIBIT,
    dataset.EXHIBIT,
    batch.EXHIBIT,
    launch.EXHIBIT,
    formats.EXHIBIT,
    errors.EXHIBIT,
    calibration.EXHIBIT,
    slices.EXHIBIT,
    label_errors.EXHIBIT,
    rivals.EXHIBIT,
    shortcuts.EXHIBIT,
    rewriting.EXHIBIT,
    encoders.EXHIBIT,
    disentangled.EXHIBIT,
)
