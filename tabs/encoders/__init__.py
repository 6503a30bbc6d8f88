"""5.6: the encoders that the book compares, their parts, their scores, and what DeBERTa does with positions."""
