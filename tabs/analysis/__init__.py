"""Chapter 5.3: where a model errs, and why."""
