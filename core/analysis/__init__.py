"""Why a model errs: tables of predictions, and what can be counted over them (book 5.3)."""
