"""A BERT with random weights and the bundled vocabulary, for tests of tasks on encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BUNDLED = Path(__file__).parents[2] / "assets" / "models" / "encoder"


def save_encoder(folder: Path, *, positions: int = 64, dropout: float = 0.0, **settings: Any) -> str:
    """Save a tiny BertForMaskedLM in half precision with the bundled tokenizer; the folder's name."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.1,
        pad_token_id=0,
        **settings,
    )
    BertForMaskedLM(config).half().save_pretrained(folder)
    return str(folder)
