"""Models: loading, attention, positions, masks, filling a blank, ablation, saliency (book chapter 2, 3.3)."""
