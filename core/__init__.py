"""Data in, typed results out; knows nothing of the page."""
