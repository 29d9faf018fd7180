"""A recipe to start from that trains on a data set and asks it: the smallest one that its rows allow."""

from typing import Any

from runs.models import DataSet
from runs.pages.data_choices import benchmarks_on
from runs.pages.recipe_forms import apply_op
from workers.catalogue import DOMAINS


def draft_on(data_set: DataSet) -> dict[str, Any]:
    """Demonstrations first, of the rows where they have responses; then GRPO on the rows where any are for training."""
    facts = data_set.facts
    document: dict[str, Any] = {"name": data_set.name, "model": {"kind": "tiny"}, "stages": []}
    apply_op(document, "add:sft")
    if facts.splits.get("train"):
        apply_op(document, "add:grpo")
        document["stages"][1]["domains"] = {data_set.name: 1}
        if facts.n_responses:
            document["stages"][0]["domains"] = {data_set.name: 1}
    asked = benchmarks_on({data_set.name: [data_set]}) or [{"domain": domain} for domain in DOMAINS]
    return {**document, "benchmarks": asked, "data_sets": {data_set.name: {"digest": data_set.digest}}}
