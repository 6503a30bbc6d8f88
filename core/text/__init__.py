"""Text: checks, normalisation, segmentation, tokenizers, alignment, subword training, statistics (book 3.5–3.6)."""
