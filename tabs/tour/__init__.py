"""Chapter 1: five tasks on one sentence."""
