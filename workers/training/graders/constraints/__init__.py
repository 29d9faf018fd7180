"""Instruction following: every constraint of a row is checked by its own rule, strictly or loosely.

    reference     {"instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
                   "kwargs": [{}, {"num_words": 50, "relation": "at least"}], "mode": "strict", "grading_mode": "binary"}

The ids and their arguments are those of the public rows of IFEval, of IFBench and of its training set; arguments that are
null or that a constraint does not take are passed over. `mode` loose takes, as IFEval does, the best of eight readings for
each constraint: with and without the first line, the last line, and the asterisks. `grading_mode` binary is 1 only if
all hold, fraction is their share. `parts` has each constraint by its id.
"""

from collections.abc import Mapping, Sequence

from workers.training.graders._reference import final_part, read_word, shown
from workers.training.graders.constraints._constraint import Constraint
from workers.training.graders.constraints._ifbench_format import IFBENCH_FORMAT
from workers.training.graders.constraints._ifbench_words import IFBENCH_WORDS
from workers.training.graders.constraints._ifeval import IFEVAL
from workers.training.graders.constraints._iftrain import IFTRAIN
from workers.training.rollouts import Grade, Problem

VERSION = 1

CONSTRAINTS: dict[str, Constraint] = {**IFEVAL, **IFTRAIN, **IFBENCH_WORDS, **IFBENCH_FORMAT}


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless each constraint is one that is graded here, with all its arguments."""
    read_word(reference, "mode", ("strict", "loose"))
    read_word(reference, "grading_mode", ("binary", "fraction"))
    _read_constraints(reference)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Check each answer against its row's constraints."""
    return [_grade(problem.reference, response) for problem, response in zip(problems, responses, strict=True)]


def _grade(reference: Mapping[str, object], response: str) -> Grade:
    constraints = _read_constraints(reference)
    answer = final_part(response)
    if not answer:
        return Grade(0.0, {"reason": "no answer"})
    loose = read_word(reference, "mode", ("strict", "loose")) == "loose"
    readings = _readings(answer) if loose else [answer]
    held = [any(rule.holds(reading, **kwargs) for reading in readings) for _, rule, kwargs in constraints]
    parts: dict[str, float | str] = {}
    for (name, _, _), holds in zip(constraints, held, strict=True):
        parts[name] = min(float(holds), float(parts.get(name, 1.0)))  # one id may stand there twice
    if read_word(reference, "grading_mode", ("binary", "fraction")) == "fraction":
        return Grade(sum(held) / len(held), parts)
    return Grade(float(all(held)), parts)


def _readings(answer: str) -> list[str]:
    """List an answer's loose readings, as IFEval's evaluation_main.py has them, each once and none empty."""
    lines = answer.split("\n")
    cut = [lines, lines[1:], lines[:-1], lines[1:-1]]
    texts = ["\n".join(part).strip() for part in cut]
    return [text for text in dict.fromkeys([*texts, *(text.replace("*", "") for text in texts)]) if text.strip()]


def _read_constraints(reference: Mapping[str, object]) -> list[tuple[str, Constraint, dict[str, object]]]:
    names, arguments = reference.get("instruction_id_list"), reference.get("kwargs")
    if not isinstance(names, list) or not names:
        raise ValueError(f"instruction_id_list is {shown(names)}, expected a list of at least one constraint's id")
    if not isinstance(arguments, list) or len(arguments) != len(names):
        raise ValueError(
            f"kwargs is {shown(arguments)}, expected a list of {len(names)} objects, one for each constraint"
        )
    return [_read_constraint(name, given) for name, given in zip(names, arguments, strict=True)]


def _read_constraint(name: object, given: object) -> tuple[str, Constraint, dict[str, object]]:
    if not isinstance(name, str) or name not in CONSTRAINTS:
        raise ValueError(
            f"constraint {shown(name)} is none that is graded here; docs/graders.md lists all {len(CONSTRAINTS)}"
        )
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"kwargs of '{name}' are {shown(given)}, expected an object")
    rule, arguments = CONSTRAINTS[name], {}
    for key, kind in rule.kwargs.items():
        value = (given or {}).get(key)
        try:
            arguments[key] = kind(value)
        except ValueError as error:
            raise ValueError(f"{key} of '{name}' is {shown(value)}, expected {error}") from error
    return name, rule, arguments
