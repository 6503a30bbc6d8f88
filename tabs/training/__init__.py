"""Chapter 5.2, 5.4: fine-tuning by point and click."""
