"""Recipes that ship with the product, a YAML file each."""

from pathlib import Path

from workers.recipe_text import load_recipe
from workers.spec import RecipeSpec

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """Name the presets, those that run anywhere first."""
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: not name.startswith("tiny-"))


def preset_text(name: str) -> str:
    """Read a preset's YAML with its comments; KeyError if there is none of this name."""
    if name not in preset_names():
        raise KeyError(name)
    return (_FOLDER / f"{name}.yaml").read_text()


def load_preset(name: str) -> RecipeSpec:
    """Read a preset as a recipe; KeyError if there is none of this name."""
    return load_recipe(preset_text(name))
