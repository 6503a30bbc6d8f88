"""Make what lies in assets/models and assets/tokenizers: ``python -m core.bundled train encoder --data DIR``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from core.bundled.recipe import Recipe, Request
from core.bundled.recipes import RECIPES

PROJECT = Path(__file__).parents[2]
VERBS = (
    ("train", "prepare, train or go on training, and export the result; the same command resumes what was interrupted"),
    ("export", "write the newest checkpoint to the assets, while training goes on"),
    ("evaluate", "measure the exported result on held-out text and write its numbers and its card"),
)


def describe_options() -> argparse.ArgumentParser:
    """Describe the command line: a verb, a recipe, and options that each recipe has its own defaults for."""
    parser = argparse.ArgumentParser(prog="python -m core.bundled", description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, purpose in VERBS:
        recipes = verbs.add_parser(verb, help=purpose).add_subparsers(dest="recipe", required=True)
        for recipe in RECIPES:
            if getattr(recipe, verb) is None:
                continue
            options = recipes.add_parser(recipe.name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
            options.add_argument("--data", type=Path, required=verb != "export", default=Path("data"),
                                 help="folder with pretrain/ and pretrain_heldout/")  # fmt: skip
            options.add_argument("--work", type=Path, default=PROJECT / "runs/bundled" / recipe.name,
                                 help="folder for intermediate files and checkpoints")  # fmt: skip
            options.add_argument("--assets", type=Path, default=PROJECT / "assets", help="folder for the results")
            if recipe.steps:
                options.add_argument("--steps", type=int, default=recipe.steps, help="training steps in all")
            options.add_argument("--megabytes", type=float, default=recipe.megabytes, help="text to draw")
            options.add_argument("--seed", type=int, default=1)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks."""
    options = vars(describe_options().parse_args(arguments))
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    verb, name = options.pop("verb"), options.pop("recipe")
    recipe: Recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    getattr(recipe, verb)(Request(**options))


if __name__ == "__main__":
    main()
