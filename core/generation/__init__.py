"""Texts that models write: how likely a model finds a text, and how near a written text comes to a reference."""
