"""Batches of work for the engine: what the book trains, one module for each kind of task."""
