"""Rows as NeMo Gym keeps them, so that nvidia/Nemotron-Cascade-2-RL-data loads as it is.

Every row has `responses_create_params` (OpenAI's Responses API: `input`, `tools`) and, once collated, `agent_ref`, whose
name tells the environment. What the environment needs lies beside them, in older rows, or below `verifier_metadata`.

    environment              grader         from
    instruction_following    constraints    instruction_id_list, kwargs, grading_mode
    mcqa                     choice         options, expected_answer, grading_mode
    workplace_assistant      calls          ground_truth
    structured_outputs       calls          schema_str
    math_with_judge          maths          expected_answer
    code_gen                 programs       unit_tests.inputs, unit_tests.outputs
    equivalence_llm_judge    contains       question, expected_answer (lc_judge alike); `judged` in recipes that name a judge
    genrm_compare            preference     nothing: a prompt to train on, rewarded by the stage's reward model
    swe_agents               patches        patch, test_patch, FAIL_TO_PASS, PASS_TO_PASS

Rows that need a sandboxed repository image to be graded are read, and refused with that reason.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from workers.training.data_sets.row import BadRowError, Raw, Row, read_messages, shown


def is_gym_row(raw: Raw) -> bool:
    """Tell these rows by the one key that all have."""
    return "responses_create_params" in raw


def convert(raw: Raw) -> Row:
    """Read a row of NeMo Gym; raises BadRowError."""
    params = raw["responses_create_params"]
    if not isinstance(params, Mapping):
        raise BadRowError(f"found responses_create_params {shown(params)}, expected an object")
    messages = read_messages(params.get("input"), "responses_create_params.input")
    fields = _fields(raw)
    environment = _environment(raw, fields)
    grader, reference = ENVIRONMENTS[environment](fields)
    tools = params.get("tools")
    return Row(messages, grader, reference, [dict(tool) for tool in tools] if isinstance(tools, list) else [])


def _fields(raw: Raw) -> dict[str, Any]:
    """Bring what the environment needs onto one level."""
    below = raw.get("verifier_metadata")
    return {**raw, **(below if isinstance(below, Mapping) else {})}


def _environment(raw: Raw, fields: Raw) -> str:
    """Name the environment: by the agent's name where the row has one, else by the keys that only its rows have."""
    agent = raw.get("agent_ref")
    name = agent.get("name") if isinstance(agent, Mapping) else None
    for environment in ENVIRONMENTS:
        if isinstance(name, str) and name.startswith(environment):
            return environment
    for beginning, environment in _ALSO.items():
        if isinstance(name, str) and name.startswith(beginning):
            return environment
    for keys, environment in _KEYS:
        if all(key in fields for key in keys):
            return environment
    raise BadRowError(
        f"found agent {shown(name)} and keys of no known environment, expected one of: {', '.join(ENVIRONMENTS)}"
    )


def _constraints(fields: Raw) -> tuple[str, dict[str, Any]]:
    reference = {name: fields[name] for name in ("instruction_id_list", "kwargs") if name in fields}
    return "constraints", reference


def _choice(fields: Raw) -> tuple[str, dict[str, Any]]:
    mode = "boxed" if "boxed" in str(fields.get("grading_mode", "")) else "plain"
    return "choice", {"answer": fields.get("expected_answer"), "options": fields.get("options"), "mode": mode}


def _calls(fields: Raw) -> tuple[str, dict[str, Any]]:
    truth = fields.get("ground_truth")
    if not isinstance(truth, list):
        raise BadRowError(f"found ground_truth {shown(truth)}, expected a list of calls")
    return "calls", {"calls": [_call(item) for item in truth]}


def _call(item: object) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise BadRowError(f"found a call {shown(item)} in ground_truth, expected an object with name and arguments")
    arguments = item.get("arguments", {})
    return {
        "name": item.get("name"),
        "arguments": _parsed(arguments, "arguments") if isinstance(arguments, str) else arguments,
    }


def _schema(fields: Raw) -> tuple[str, dict[str, Any]]:
    text = fields.get("schema_str")
    if not isinstance(text, str):
        raise BadRowError(f"found schema_str {shown(text)}, expected a JSON Schema as a text")
    return "calls", {"schema": _parsed(text, "schema_str")}


def _maths(fields: Raw) -> tuple[str, dict[str, Any]]:
    return "maths", {"answer": fields.get("expected_answer")}


def _programs(fields: Raw) -> tuple[str, dict[str, Any]]:
    tests = fields.get("unit_tests")
    inputs, outputs = (tests.get(name) if isinstance(tests, Mapping) else None for name in ("inputs", "outputs"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadRowError(f"found unit_tests {shown(tests)}, expected lists inputs and outputs of the same length")
    return "programs", {"inputs": inputs, "outputs": outputs}


def _answers(fields: Raw) -> tuple[str, dict[str, Any]]:
    asked = fields.get("question")
    question = {"question": asked} if isinstance(asked, str) and asked.strip() else {}
    return "contains", {"answer": fields.get("expected_answer"), **question}


def _preference(fields: Raw) -> tuple[str, dict[str, Any]]:
    return "preference", {}


def _patches(fields: Raw) -> tuple[str, dict[str, Any]]:
    raise BadRowError(
        f"found an agentic task of {shown(fields.get('repo'))}, whose repository image does not come with the row; "
        "give rows whose reference carries the files (docs/graders.md, patches)"
    )


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadRowError(f"found {name} that is no JSON ({error})") from None


ENVIRONMENTS: dict[str, Callable[[Raw], tuple[str, dict[str, Any]]]] = {
    "instruction_following": _constraints,
    "mcqa": _choice,
    "workplace_assistant": _calls,
    "structured_outputs": _schema,
    "math_with_judge": _maths,
    "code_gen": _programs,
    "equivalence_llm_judge": _answers,
    "genrm_compare": _preference,
    "swe_agents": _patches,
}
_ALSO = {"lc_judge": "equivalence_llm_judge", "genrm_simple_agent": "genrm_compare"}  # by how agents' names begin
_KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("instruction_id_list",), "instruction_following"),
    (("options", "expected_answer"), "mcqa"),
    (("ground_truth", "environment_name"), "workplace_assistant"),
    (("schema_str",), "structured_outputs"),
    (("unit_tests",), "code_gen"),
    (("FAIL_TO_PASS",), "swe_agents"),
    (("question", "expected_answer"), "math_with_judge"),
)
