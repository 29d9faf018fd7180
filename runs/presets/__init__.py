"""Recipes that ship with the product, a YAML file each, and the rows that some of them train on: samples/<preset>/.

A recipe pins its rows by their digest, so that it can be read anywhere; `runs/samples.py` registers them in a project.
"""

from pathlib import Path

from workers.recipe_text import load_recipe
from workers.spec import RecipeSpec

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """Name the presets, those that run anywhere first."""
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: (not name.startswith("tiny-"), not name.startswith("small-")))


def preset_text(name: str) -> str:
    """Read a preset's YAML with its comments; KeyError if there is none of this name."""
    if name not in preset_names():
        raise KeyError(name)
    return (_FOLDER / f"{name}.yaml").read_text()


def load_preset(name: str) -> RecipeSpec:
    """Read a preset as a recipe; KeyError if there is none of this name."""
    return load_recipe(preset_text(name))


def sample_files(name: str) -> dict[str, Path]:
    """Find the rows that ship with a preset, by the data set that its recipe names; KeyError if there is no such preset."""
    return {found: _FOLDER / "samples" / name / f"{found}.jsonl" for found in load_preset(name).data_sets}
