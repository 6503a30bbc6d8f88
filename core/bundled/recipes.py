"""The recipes, in the order in which they are made. A further one is a module and one line here."""

from core.bundled import encoder, tokenizers

RECIPES = (encoder.RECIPE, tokenizers.RECIPE)
