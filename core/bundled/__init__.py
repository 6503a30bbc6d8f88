"""Recipes that train what lies in the assets, and measure it."""
