"""What all graders promise, whatever they judge."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.grading import graded
from tests.training.test_grader_constraints import TABLE
from workers.training.graders import GRADERS
from workers.training.graders.constraints import CONSTRAINTS

ROOT = Path(__file__).resolve().parents[2]
ROWS: dict[str, dict[str, object]] = {
    "maths": {"answer": "\\frac{1}{2}"},
    "choice": {"answer": "B"},
    "constraints": {
        "instruction_id_list": list(CONSTRAINTS),
        "kwargs": [{name: given for name, given, *_ in TABLE}[name] for name in CONSTRAINTS],
        "mode": "loose",
    },
    "calls": {"calls": [{"name": "add", "arguments": {}}], "schema": {"type": "object"}},
    "exact": {"answer": "Nile"},
    "contains": {"answer": "Nile"},
}
HOSTILE = [
    "", " ", "\x00", "\ud800", "\\", "{", "}" * 99, "\\boxed{", "\\boxed{\\boxed{}}}", "<think>", "</think>" * 9, "İ ﬀ ǰ",
    "😀\u200d🏿", "```", "<tool_call></tool_call>", "null", "1e999", "[" * 9999, "\u2028\u0085", "Answer:", "####", "-", "½²",
    "\\boxed{\\frac{1}{0}}", "\\boxed{\\text{\\text{}}", "$$", "\\[\\]", "* - .", "«»", "١٢٣", "a" * 99_999, "é" * 9999,
]  # fmt: skip


@pytest.mark.parametrize("name", GRADERS)
def test_all_graders_have_the_same_shape(name: str) -> None:
    module = GRADERS[name]
    assert isinstance(module.VERSION, int)
    assert module.VERSION >= 1
    assert module.grade([], []) == []
    refused: dict[str, object] = {"rejected": "x"} if name == "preference" else {}  # whose rows may be prompts alone
    with pytest.raises(ValueError, match="expected"):
        module.check(refused)


@pytest.mark.parametrize("response", HOSTILE)
@pytest.mark.parametrize("name", ROWS)
def test_no_answer_makes_a_grader_fail_and_none_of_these_is_right(name: str, response: str) -> None:
    grade = graded(name, ROWS[name], response)
    assert grade.value == 0.0
    assert grade.parts


def test_the_page_on_graders_names_them_all() -> None:
    page = (ROOT / "docs" / "graders.md").read_text()
    assert not [name for name in (*GRADERS, *CONSTRAINTS) if f"`{name}`" not in page]


def test_importing_the_graders_does_not_import_what_only_one_of_them_needs() -> None:
    program = (
        "import sys; import workers.training.graders;"
        "print({'torch', 'transformers', 'sympy', 'math_verify', 'langdetect'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
