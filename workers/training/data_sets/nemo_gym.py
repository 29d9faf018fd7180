"""Rows as NeMo Gym keeps them, so that nvidia/Nemotron-Cascade-2-RL-data loads as it is.

Every row has `responses_create_params` (OpenAI's Responses API: `input`, `tools`) and, once collated, `agent_ref`, whose
name tells the environment. What the environment needs lies beside them, in older rows, or below `verifier_metadata`.

    environment              grader         from
    instruction_following    constraints    instruction_id_list, kwargs, grading_mode
    mcqa                     choice         options, expected_answer, grading_mode, template_metadata.output_regex
    workplace_assistant      calls          ground_truth
    structured_outputs       calls          schema_str, made strict; response_mode, tool_name, tool_payload_key
    math_with_judge          maths          expected_answer
    code_gen                 programs       unit_tests.inputs, unit_tests.outputs, unit_tests.fn_name
    equivalence_llm_judge    contains       question, expected_answer (lc_judge, too); `judged` in recipes that name a judge
    genrm_compare            preference     nothing: a prompt to train on, rewarded by the stage's reward model
    swe_agents               -              the repository comes as an image

What cannot be graded here is refused with its reason. A row that was rolled out has `response` and `reward`, too: with full
reward and in one turn, it is a right answer to learn from.

Where we differ from NeMo Gym: a task of workplace_assistant is one turn, whose calls are compared with the expected ones, not
the state they leave; a box with an option's text in place of its letter (lenient_boxed) is wrong; without a judge, what one
would find equivalent has to name the expected answer.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from workers.training.data_sets.row import BadRowError, Raw, Row, as_text, read_messages, shown

_Graded = tuple[str, dict[str, Any]]  # a grader, and the reference it judges by

_MIN_MAX_WORDS = 100  # of an answer that has to name the expected one: a few sentences
_WORDS_PER_WORD = 4  # and more where the expected one is long


def is_gym_row(raw: Raw) -> bool:
    """Tell these rows by the one key that all have."""
    return "responses_create_params" in raw


def convert(raw: Raw) -> Row:
    """Read a row of NeMo Gym; raises BadRowError."""
    params = raw["responses_create_params"]
    if not isinstance(params, Mapping):
        raise BadRowError(f"found responses_create_params {shown(params)}, expected an object")
    fields = _fields(raw, params)
    # first, since rows that cannot be graded may also ask nothing
    grader, reference = ENVIRONMENTS[_environment(raw, fields)](fields)
    messages = read_messages(params.get("input"), "responses_create_params.input")
    return Row(messages, grader, reference, _tools(params.get("tools")), _demonstration(raw))


def _fields(raw: Raw, params: Raw) -> dict[str, Any]:
    """Bring what the environment needs onto one level; what stands nearer to the verifier counts."""
    about, below = params.get("metadata"), raw.get("verifier_metadata")
    instance = about.get("instance_dict") if isinstance(about, Mapping) else None
    named = _parsed(instance, "instance_dict") if isinstance(instance, str) else instance
    return {
        **(named if isinstance(named, Mapping) else {}),
        **raw,
        **(below if isinstance(below, Mapping) else {}),
    }


def _environment(raw: Raw, fields: Raw) -> str:
    """Name the environment: by the agent's name where the row has one, else by the keys that only its rows have."""
    agent = raw.get("agent_ref")
    name = agent.get("name") if isinstance(agent, Mapping) else None
    for beginning, environment in _AGENTS.items():
        if isinstance(name, str) and name.startswith(beginning):
            return environment
    for keys, environment in _KEYS:
        if all(key in fields for key in keys):
            return environment
    raise BadRowError(
        f"found agent {shown(name)} and keys of no known environment, expected one of: {', '.join(ENVIRONMENTS)}"
    )


# Environments ---------------------------------------------------------------------------------------------------


def _constraints(fields: Raw) -> _Graded:
    names = ("instruction_id_list", "kwargs", "grading_mode")
    return "constraints", {name: fields[name] for name in names if fields.get(name) is not None}


def _choice(fields: Raw) -> _Graded:
    """Read options that are objects of one letter each, of all letters with null for the others, or one object of all."""
    options, answer = fields.get("options"), fields.get("expected_answer")
    mode = fields.get("grading_mode") or "strict_single_letter_boxed"
    if mode not in _CHOICE_MODES:
        raise BadRowError(f"found grading_mode {shown(mode)}, expected one of: {', '.join(_CHOICE_MODES)}")
    reference = {
        "answer": answer.strip().upper() if isinstance(answer, str) else answer,
        "options": _letters(options) if options is not None else None,
        "mode": _CHOICE_MODES[mode],
    }
    template = fields.get("template_metadata")
    pattern = template.get("output_regex") if isinstance(template, Mapping) else None
    return "choice", reference | ({"pattern": pattern} if pattern else {})


def _letters(options: object) -> list[str]:
    given = options if isinstance(options, list) else [options]
    entries = [entry for entry in given if isinstance(entry, Mapping)]
    if len(entries) < len(given):
        raise BadRowError(f"found options {shown(options)}, expected objects of a letter and its text")
    return [letter for entry in entries for letter, text in entry.items() if text is not None]


def _calls(fields: Raw) -> _Graded:
    truth = fields.get("ground_truth")
    truth = _parsed(truth, "ground_truth") if isinstance(truth, str) else truth
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


def _schema(fields: Raw) -> _Graded:
    """Read the schema as the environment judges by it: every property is required, and no other may be there."""
    text, kind = fields.get("schema_str"), fields.get("schema_type") or "json"
    if kind != "json":
        raise BadRowError(
            f"found schema_type {shown(kind)}, expected json: answers in another form are not graded here"
        )
    if not isinstance(text, str):
        raise BadRowError(f"found schema_str {shown(text)}, expected a JSON Schema as a text")
    mode = fields.get("response_mode") or "text"
    if mode not in ("text", "tool_call"):
        raise BadRowError(f"found response_mode {shown(mode)}, expected text or tool_call")
    reference: dict[str, Any] = {"schema": _strict(_parsed(text, "schema_str"))}
    if mode == "tool_call":
        reference["call"] = {"name": fields.get("tool_name"), "payload": fields.get("tool_payload_key")}
    return "calls", reference


def _strict(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    inner = {key: _strict(value) for key, value in schema.items()}
    if isinstance(inner.get("properties"), Mapping):
        inner |= {"required": list(inner["properties"]), "additionalProperties": False}
    return inner


def _maths(fields: Raw) -> _Graded:
    return "maths", {"answer": as_text(fields.get("expected_answer"))}


def _programs(fields: Raw) -> _Graded:
    tests = fields.get("unit_tests")
    tests = _parsed(tests, "unit_tests") if isinstance(tests, str) else tests
    inputs, outputs = (tests.get(name) if isinstance(tests, Mapping) else None for name in ("inputs", "outputs"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadRowError(f"found unit_tests {shown(tests)}, expected lists inputs and outputs of the same length")
    function = tests.get("fn_name") if isinstance(tests, Mapping) else None
    if not function:
        return "programs", {"inputs": inputs, "outputs": outputs}
    values = [_parsed(text, "unit_tests.outputs") if isinstance(text, str) else text for text in outputs]
    return "programs", {"function": function, "inputs": inputs, "outputs": values}


def _answers(fields: Raw) -> _Graded:
    answer, asked = as_text(fields.get("expected_answer")), fields.get("question")
    n_words = len(answer.split()) if isinstance(answer, str) else 0
    question = {"question": asked} if isinstance(asked, str) and asked.strip() else {}
    return "contains", {"answer": answer, "max_words": max(_MIN_MAX_WORDS, _WORDS_PER_WORD * n_words), **question}


def _preference(fields: Raw) -> _Graded:
    return "preference", {}


def _patches(fields: Raw) -> _Graded:
    raise BadRowError(
        f"found an agentic task of {shown(fields.get('repo'))}, whose repository image does not come with the row; "
        "give rows whose reference carries the files (docs/graders.md, patches)"
    )


# Tools and answers ----------------------------------------------------------------------------------------------


def _tools(tools: object) -> list[dict[str, Any]]:
    """Bring tools of the Responses API into the form that chat templates are written for: {"type", "function": {...}}."""
    if tools is None:
        return []
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise BadRowError(f"found responses_create_params.tools {shown(tools)}, expected a list of objects")
    return [_tool(tool) for tool in tools]


def _tool(tool: Raw) -> dict[str, Any]:
    if tool.get("type", "function") != "function" or "function" in tool:
        return dict(tool)
    named = ("name", "description", "parameters")
    return {"type": "function", "function": {name: tool[name] for name in named if tool.get(name) is not None}}


def _demonstration(raw: Raw) -> str:
    """Take the answer of a rollout that got full reward; none where tools answered in between."""
    response, reward = raw.get("response"), raw.get("reward")
    output = response.get("output") if isinstance(response, Mapping) else None
    if isinstance(reward, bool) or not isinstance(reward, int | float) or reward < 1 or not isinstance(output, list):
        return ""
    if not all(isinstance(item, Mapping) and item.get("type") in _OUTPUTS for item in output):
        return ""
    return "\n".join(text for item in output if (text := _OUTPUTS[item["type"]](item)))


def _said(item: Raw) -> str:
    content = item.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str))


def _called(item: Raw) -> str:
    call = _call(item)
    return f"<tool_call>{json.dumps(call, ensure_ascii=False)}</tool_call>"


def _thought(item: Raw) -> str:
    return ""  # what is graded, and learned, is the answer


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadRowError(f"found {name} that is no JSON ({error})") from None


_OUTPUTS: dict[str, Callable[[Raw], str]] = {"message": _said, "function_call": _called, "reasoning": _thought}
_CHOICE_MODES = {
    "strict_single_letter_boxed": "boxed",
    "lenient_boxed": "boxed",
    "lenient_answer_colon": "plain",
    "lenient_answer_colon_md": "plain",
}
ENVIRONMENTS: dict[str, Callable[[Raw], _Graded]] = {
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
_AGENTS = {**{name: name for name in ENVIRONMENTS}, "lc_judge": "equivalence_llm_judge", "genrm": "genrm_compare"}
_KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("instruction_id_list",), "instruction_following"),
    (("options", "expected_answer"), "mcqa"),
    (("ground_truth",), "workplace_assistant"),
    (("schema_str",), "structured_outputs"),
    (("unit_tests",), "code_gen"),
    (("FAIL_TO_PASS",), "swe_agents"),
    (("question", "expected_answer"), "math_with_judge"),
)
