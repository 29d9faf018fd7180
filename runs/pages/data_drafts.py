"""Recipes to start from: the smallest one that the rows of a data set allow, or that a model can begin."""

import re
from typing import Any

from runs.models import DataSet, RegisteredModel
from runs.pages.data_choices import benchmarks_on
from runs.pages.recipe_forms import apply_op
from runs.registered_models import default_positions
from workers.catalogue import DOMAINS, JUDGED, PREFERENCE

_RESPONSE, _MOST_POSITIONS = 64, 4096  # tokens


def draft_on(data_set: DataSet) -> dict[str, Any]:
    """Demonstrations first, of the rows where they have responses; then GRPO on the rows where any are for training.

    The model is tiny, with the vocabulary for text and room for the longest prompt, of which a character is a token at most.
    """
    facts = data_set.facts
    positions = min(_MOST_POSITIONS, 2 ** (facts.lengths["longest"] + 2 * _RESPONSE).bit_length())
    model = {"kind": "tiny", "vocabulary": "text", "max_positions": positions}
    document: dict[str, Any] = {"name": data_set.name, "model": model, "stages": []}
    apply_op(document, "add:sft")
    if facts.splits.get("train"):
        apply_op(document, "add:grpo")
        document["stages"][1] |= {"domains": {data_set.name: 1}, "max_response_tokens": _RESPONSE}
        if facts.graders.get(PREFERENCE) and facts.n_pairs:
            document["stages"][1]["reward_model"] = {}
        if facts.n_responses:
            document["stages"][0]["domains"] = {data_set.name: 1}
    own = [] if facts.graders.keys() & {JUDGED, PREFERENCE} else benchmarks_on({data_set.name: [data_set]})
    asked = [{**found, "max_response_tokens": _RESPONSE} for found in own] or [{"domain": domain} for domain in DOMAINS]
    return {**document, "benchmarks": asked, "data_sets": {data_set.name: {"digest": data_set.digest}}}


def draft_from(model: RegisteredModel) -> dict[str, Any]:
    """Demonstrations, then GRPO, in domains that a person changes; the longest prompt plus response is the model's own."""
    name = re.sub(r"[^a-z0-9_-]", "-", model.folder.rpartition("/")[2].lower())[:40]
    document: dict[str, Any] = {
        "name": name if name[:1].isalpha() else "recipe",
        "model": {"kind": "folder", "folder": model.folder},
        "stages": [],
    }
    apply_op(document, "add:sft")
    apply_op(document, "add:grpo")
    if (positions := default_positions(model.facts)) is not None:
        longest = max(64, positions // 4)
        stage = document["stages"][1]
        stage["max_response_tokens"] = min(stage["max_response_tokens"], longest)
    return {**document, "benchmarks": [{"domain": domain} for domain in DOMAINS]}
