"""Chapter 1: the tasks of language processing on one sentence."""
