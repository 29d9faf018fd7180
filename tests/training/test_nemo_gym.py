"""Rows of NeMo Gym, in their older and newer layouts: what each is graded by, which answers are right, and why a row is refused."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.training.grading import graded
from tests.training.test_data_sets import kept, rows_of
from workers.data_dir import BadRowRecord
from workers.stage_dir import read_records
from workers.training.data_sets import nemo_gym
from workers.training.data_sets.domain import DataSetDomain
from workers.training.data_sets.row import BadRowError
from workers.training.grade_apart import FAILED
from workers.training.graders import GRADERS


def a_row(_agent: str = "", **fields: Any) -> dict[str, Any]:
    params = {"input": [{"role": "user", "content": "Which?"}], "tools": [], "parallel_tool_calls": False}
    params |= fields.pop("params", {})
    agent = {"agent_ref": {"type": "responses_api_agents", "name": _agent}} if _agent else {}
    return {"responses_create_params": params, **agent, **fields}


NO_COMMA = {
    "instruction_id_list": ["punctuation:no_comma", "keywords:existence"],
    "kwargs": [None, {"keywords": ["pear"]}],
}
ONE_EACH, WITH_NULLS = [{"A": "x"}, {"B": "y"}], [{"A": "x", "B": None}, {"A": None, "B": "y"}]
SENT = [{"name": "email_send_email", "arguments": '{"recipient": "ana@example.com", "subject": "Lunch"}'}]
CALL = '<tool_call>{"name": "email_send_email", "arguments": {"subject": "Lunch", "recipient": "ana@example.com"}}</tool_call>'
SCHEMA = (
    '{"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}}, "required": ["city"]}'
)
CITY = '{"city": "Oslo", "n": 3}'
HANDED = {"schema_str": SCHEMA, "response_mode": "tool_call", "tool_name": "save", "tool_payload_key": "result"}
DOUBLE = {"inputs": ["2\n", "5\n"], "outputs": ["4\n", "10\n"]}
FUNCTION = {"inputs": ["2", "5"], "outputs": ["4", "10"], "fn_name": "double"}
PROGRAM = "```python\nprint(2 * int(input()))\n```"

# a row, its grader, a right answer and a wrong one
USABLE: list[tuple[dict[str, Any], str, str, str]] = [
    (a_row(id=1, prompt="Which?", **NO_COMMA), "constraints", "A pear.", "A pear, yes."),
    (a_row("instruction_following_simple_agent", verifier_metadata={**NO_COMMA, "grading_mode": "binary"}), "constraints", "A pear.", "A plum."),
    (a_row(verifier_metadata={"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, instruction_id_list=["x"]), "constraints", "A.", "A, b."),
    (a_row("mcqa_simple_agent", options=ONE_EACH, expected_answer="B", grading_mode="strict_single_letter_boxed", uuid="u"), "choice", "\\boxed{B}", "B"),
    (a_row(options=ONE_EACH, expected_answer="b"), "choice", "\\boxed{B}", "Answer: B"),
    (a_row(options=WITH_NULLS, expected_answer="B"), "choice", "\\boxed{B}", "\\boxed{A}"),
    (a_row(options=[{"A": "x", "B": "y"}], expected_answer="B", grading_mode="lenient_boxed"), "choice", "\\boxed{B: y}", "B"),
    (a_row(options={"A": "x", "B": "y"}, expected_answer="B", grading_mode="lenient_answer_colon"), "choice", "Answer: B", "Answer: A"),
    (a_row(options=ONE_EACH, expected_answer="B", template_metadata={"output_regex": "Final Choice:\\s*([A-Za-z])\\s*"}), "choice", "Final choice: b", "B"),
    (a_row(options=ONE_EACH, expected_answer="B", template_metadata={"output_regex": ["Pick (.)", "\\\\boxed\\{\\s*([A-Za-z])\\s*\\}"]}), "choice", "\\boxed{ B }", "\\boxed{A}"),
    (a_row("workplace_assistant_simple_agent", id=0, ground_truth=SENT, category="email", environment_name="workplace_assistant"), "calls", CALL, "Sent."),
    (a_row(ground_truth=json.dumps(SENT)), "calls", CALL, CALL * 2),
    (a_row(ground_truth=[*SENT, {"name": "f", "arguments": {}}]), "calls", '<tool_call>{"name": "f"}</tool_call>' + CALL, CALL),
    (a_row(ground_truth=[], environment_name="workplace_assistant"), "calls", "Nothing to do.", CALL),
    (a_row("structured_outputs_simple_agent", schema_str=SCHEMA, schema_type="json", schema_fields_count=2), "calls", CITY, '{"city": "Oslo"}'),
    (a_row(schema_str=SCHEMA, response_mode="text"), "calls", f"```json\n{CITY}\n```", '{"city": "Oslo", "n": 3, "m": 4}'),
    (a_row("structured_outputs_v4_simple_agent", **HANDED), "calls", f'<tool_call>{{"name": "save", "arguments": {{"result": {CITY}}}}}</tool_call>', CITY),
    (a_row(**{**HANDED, "tool_payload_key": None}), "calls", f'{{"name": "save", "arguments": {CITY}}}', f'{{"name": "load", "arguments": {CITY}}}'),
    (a_row("math_with_judge_simple_agent", question="q", expected_answer="\\frac{1}{2}"), "maths", "\\boxed{0.5}", "\\boxed{2}"),
    (a_row(question="q", expected_answer=32), "maths", "\\boxed{32}", "\\boxed{33}"),
    (a_row("code_gen_simple_agent", verifier_metadata={"unit_tests": DOUBLE}, hash_id="h", source="codeforces"), "programs", PROGRAM, "print(4)"),
    (a_row(verifier_metadata={"unit_tests": json.dumps(DOUBLE)}), "programs", PROGRAM, "print(4)"),
    (a_row(verifier_metadata={"unit_tests": FUNCTION}), "programs", "def double(n): return 2 * n", "def double(n): return '4'"),
    (a_row("equivalence_llm_judge_simple_agent", question="q", expected_answer="17 March"), "contains", "On 17 March.", "In March."),
    (a_row("lc_judge_simple_agent", question="q", expected_answer="Lisbon"), "contains", "They met in Lisbon.", "Lisbon " * 101),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "grader", "right", "wrong"), USABLE)
def test_a_row_is_graded_as_its_environment_means_it(raw: dict[str, Any], grader: str, right: str, wrong: str) -> None:
    row = nemo_gym.convert(raw)
    assert row.grader == grader
    GRADERS[grader].check(row.reference)
    assert graded(grader, row.reference, right).value == 1.0
    assert graded(grader, row.reference, wrong).value == 0.0


INSTANCE = json.dumps({"repo": "astropy/astropy", "instance_id": "astropy__astropy-12907", "FAIL_TO_PASS": "[]"})
ANSWERED = {"input": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}

REFUSED: list[tuple[dict[str, Any], str]] = [
    (a_row("swe_agents_train", params={"input": [], "metadata": {"instance_dict": INSTANCE}}), "found an agentic task of 'astropy/astropy'"),
    (a_row(params={"input": [], "metadata": {"instance_dict": INSTANCE}}), "whose repository image does not come with the row"),
    (a_row("swe_agents_val", repo="a/b", FAIL_TO_PASS=["t"], PASS_TO_PASS=[]), "found an agentic task of 'a/b'"),
    (a_row("swe_agents_val", params={"metadata": {"instance_dict": "{"}}), "found instance_dict that is no JSON"),
    (a_row("genrm_simple_agent", params=ANSWERED, dataset="hs3"), "that end with the assistant's own answer"),
    (a_row("unheard_of", answer="x"), "found agent 'unheard_of' and keys of no known environment"),
    (a_row(instruction_id_list=["no:such"], kwargs=[{}]), "constraints cannot grade it: constraint 'no:such' is none"),
    (a_row(options=ONE_EACH, expected_answer="C"), "choice cannot grade it: answer is 'C', expected the letter of an option: A, B"),
    (a_row(options=["x", "y"], expected_answer="A"), "found options ['x', 'y'], expected objects of a letter and its text"),
    (a_row(options=ONE_EACH, expected_answer="A", grading_mode="vague"), "found grading_mode 'vague', expected one of: strict_single"),
    (a_row(options=ONE_EACH, expected_answer="A", template_metadata={"output_regex": "([A-Z]"}), "expected a regular expression"),
    (a_row(options=ONE_EACH, expected_answer="A", template_metadata={"output_regex": "[A-Z]"}), "with one group, the letter"),
    (a_row(ground_truth="{"), "found ground_truth that is no JSON"),
    (a_row("workplace_assistant_simple_agent"), "found ground_truth none, expected a list of calls"),
    (a_row(ground_truth=[{"name": "f", "arguments": "{"}]), "found arguments that is no JSON"),
    (a_row(schema_str="{"), "found schema_str that is no JSON"),
    (a_row(schema_str="{}", schema_type="yaml"), "found schema_type 'yaml', expected json"),
    (a_row(schema_str="{}", response_mode="voice"), "found response_mode 'voice', expected text or tool_call"),
    (a_row("structured_outputs_simple_agent"), "found schema_str none, expected a JSON Schema as a text"),
    (a_row(verifier_metadata={"unit_tests": {"inputs": ["1"], "outputs": []}}), "expected lists inputs and outputs of the same length"),
    (a_row(verifier_metadata={"unit_tests": {**FUNCTION, "outputs": ["4", "x"]}}), "found unit_tests.outputs that is no JSON"),
    (a_row("math_with_judge_simple_agent", question="q"), "maths cannot grade it: answer is None"),
    (a_row(question="q", expected_answer="4", params={"input": []}), "found responses_create_params.input []"),
    (a_row(question="q", expected_answer="4", params={"tools": ["add"]}), "found responses_create_params.tools ['add']"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "reason"), REFUSED)
def test_a_row_that_cannot_be_used_is_listed_with_its_line_and_reason(
    tmp_path: Path, raw: dict[str, Any], reason: str
) -> None:
    data = kept(tmp_path, [a_row(question="q", expected_answer="4"), raw])
    (bad,) = read_records(data.bad_rows, BadRowRecord)[0]
    assert bad.line == 2
    assert reason in bad.reason


def test_tools_come_in_the_form_of_chat_templates(tmp_path: Path) -> None:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False}
    chat = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    for given in (tool, chat):
        (row,) = rows_of(kept(tmp_path, [a_row(ground_truth=SENT, params={"tools": [given]})]))
        assert row.tools == [chat]


SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "\\boxed{4}"}]}
CALLED = {"type": "function_call", **SENT[0], "call_id": "c", "status": "completed"}
THOUGHT = {"type": "reasoning", "summary": []}
ANSWERED = {"type": "function_call_output", "call_id": "c", "output": "sent"}


@pytest.mark.parametrize(
    ("output", "reward", "response"),
    [
        ([SAID], 1.0, "\\boxed{4}"),
        ([THOUGHT, SAID], 1, "\\boxed{4}"),
        ([CALLED], 1.0, CALL.replace('"subject": "Lunch", "recipient": "ana@example.com"', '"recipient": "ana@example.com", "subject": "Lunch"')),
        ([SAID], 0.0, ""),
        ([SAID], None, ""),
        ([CALLED, ANSWERED, SAID], 1.0, ""),
        ("text", 1.0, ""),
    ],
)  # fmt: skip
def test_a_rollout_with_full_reward_is_an_answer_to_learn_from(output: Any, reward: Any, response: str) -> None:
    raw = a_row(question="q", expected_answer="4") | {"response": {"output": output}, "reward": reward}
    assert nemo_gym.convert(raw).response == response


def test_what_is_no_row_is_refused_before_anything_is_read_of_it() -> None:
    with pytest.raises(BadRowError, match="found responses_create_params 1"):
        nemo_gym.convert({"responses_create_params": 1})


def test_what_a_pattern_finds_is_judged_in_a_process_of_its_own(tmp_path: Path) -> None:
    slow = {"output_regex": "(a+)+b"}  # takes for ever on a long run of a's
    for number, template in enumerate(({}, slow)):
        raw = a_row(options=ONE_EACH, expected_answer="B", template_metadata=template)
        (tmp_path / str(number)).mkdir()
        domain = DataSetDomain("own", kept(tmp_path / str(number), [raw], use="train").path)
        grades = domain.grade([domain.draw("train", random.Random(0))], ["a" * 40 + "\\boxed{B}"])
        assert [(grade.value, FAILED in grade.parts) for grade in grades] == [(float(not template), bool(template))]
