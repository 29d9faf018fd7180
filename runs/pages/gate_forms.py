"""The gates of a recipe as controls: a row of settings each, with buttons to add and remove one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runs.pages.form_fields import FormField, Problems, control_id, fields_of, values_from
from workers.catalogue import DOMAINS
from workers.spec import GateSpec

Document = dict[str, Any]


@dataclass(frozen=True)
class GateForm:
    """One gate as controls."""

    position: int
    fields: list[FormField]
    error: str

    @property
    def number(self) -> int:
        return self.position + 1

    @property
    def id(self) -> str:
        return control_id(f"gates.{self.position}")


def gate_forms(document: Document, problems: Problems) -> list[GateForm]:
    """Make the controls of all gates."""
    stages = [str(stage.get("name", "")) for stage in document.get("stages") or []]
    after = [("", "every stage"), *((name, name) for name in stages)]
    domain = [("", "a domain that an earlier stage trained"), *((name, info.title) for name, info in DOMAINS.items())]
    return [
        GateForm(
            position,
            fields_of(GateSpec, gate, f"gates.{position}.", problems, after=after, domain=domain),
            problems.within(f"gates.{position}"),
        )
        for position, gate in enumerate(document.get("gates") or [])
    ]


def gates_from(post: Mapping[str, str], renamed: Mapping[str, str]) -> list[Document]:
    """Read the gates from a form; one that names a stage follows it to its new name."""
    found = (re.fullmatch(r"gates\.(0|[1-9][0-9]{0,2})\.on", name) for name in post)
    gates = [values_from(GateSpec, post, f"gates.{position}.") for position in sorted(int(m[1]) for m in found if m)]
    return [{**gate, "after": renamed.get(gate["after"], gate["after"])} if "after" in gate else gate for gate in gates]


def apply_gate_op(gates: list[Document], verb: str, argument: str) -> None:
    """Do what a button says: add a gate like the last one, or remove one."""
    if verb == "add":
        gates.append(dict(gates[-1]) if gates else {})
    elif argument.isdecimal() and len(argument) < 4 and int(argument) < len(gates):
        del gates[int(argument)]
