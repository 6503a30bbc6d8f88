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
)
EVALUATION = "measure the bundled models on held-out data, beside baselines"


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
    evaluate = verbs.add_parser("evaluate", help=EVALUATION, description=EVALUATION)
    evaluate.add_argument("names", nargs="*", metavar="NAME", help="folders of models; all when none is named")
    evaluate.add_argument("--only", nargs="+", default=[], metavar="NAME", help="the same as an option")
    evaluate.add_argument("--data", type=Path, required=True, help="folder with a folder for each data set")
    evaluate.add_argument("--json", type=Path, help="file to write the numbers to, by task and metric")
    evaluate.add_argument("--assets", type=Path, default=PROJECT / "assets", help="folder with models")
    purpose = "write numbers and cards into the models' folders and the table into the README"
    evaluate.add_argument("--write", action="store_true", help=purpose)
    return parser


def run_evaluation(options: argparse.Namespace) -> None:
    """Measure, tell, and write what is asked for."""
    from transformers.utils import logging as transformers_logging

    from core.bundled import scores
    from core.bundled.files import write_json

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    outcomes = scores.measure_family(options.data, options.assets, only=(*options.names, *options.only))
    numbers = scores.round_scores(scores.merge_scores(outcome.scores for outcome in outcomes))
    sys.stdout.write("\n".join((scores.scores_table(numbers), *scores.describe_gaps(outcomes))) + "\n")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.json, numbers)
    if options.write:
        readme = PROJECT / "README.md" if options.assets.resolve() == PROJECT / "assets" else None
        scores.write_outcomes(outcomes, assets=options.assets, readme=readme)


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks."""
    parser = describe_options()
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if asked.verb == "evaluate":
        try:
            run_evaluation(asked)
        except ValueError as error:  # a name that nobody knows
            parser.error(str(error))
        return
    options = vars(asked)
    verb, name = options.pop("verb"), options.pop("recipe")
    recipe: Recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    getattr(recipe, verb)(Request(**options))


if __name__ == "__main__":
    main()
