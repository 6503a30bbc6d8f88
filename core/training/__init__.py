"""The engine: a configuration becomes a run directory, a run directory becomes a model, and events tell how it goes."""
