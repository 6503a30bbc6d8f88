"""The recipes, in the order in which they are made. A further one is a module and one line here."""

from core.bundled import encoder, generators, heads, tokenizers

RECIPES = (encoder.RECIPE, tokenizers.RECIPE, *generators.RECIPES, *heads.RECIPES)
