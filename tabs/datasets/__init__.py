"""Chapter 5.1 and 5.2: what data look like before anything is trained on them, and how a model is given them."""
