"""All domains have the same shape, and splits that never overlap."""

import inspect
import random
from pathlib import Path

import pytest

from workers import catalogue
from workers.training import domains
from workers.training.domains import DOMAINS, DomainModule, benchmark_problems, draw, split_of
from workers.training.rollouts import Problem

FOLDER = Path(domains.__file__).parent


def test_every_domain_of_the_catalogue_is_a_module_and_the_other_way_round() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    assert modules == set(DOMAINS) == set(catalogue.DOMAINS)


@pytest.mark.parametrize("name", DOMAINS)
def test_has_the_shape_and_a_test(name: str) -> None:
    module = DOMAINS[name]
    assert module.VERSION >= 1
    for function in ("make_problem", "demonstrate", "grade"):
        expected = inspect.signature(getattr(DomainModule, function)).parameters.values()
        found = inspect.signature(getattr(module, function)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in found] == [(p.name, p.kind, p.default) for p in expected][1:]
    assert (Path(__file__).parent / f"test_domain_{name}.py").exists()


@pytest.mark.parametrize("name", DOMAINS)
def test_its_own_demonstrations_pass_unless_in_another_style(name: str) -> None:
    module, rng = DOMAINS[name], random.Random(1)
    problems = [module.make_problem(rng) for _ in range(100)]
    plain = module.grade(problems, [module.demonstrate(problem, rng, style_noise=0.0) for problem in problems])
    styled = module.grade(problems, [module.demonstrate(problem, rng, style_noise=1.0) for problem in problems])
    if name != "preference":  # where demonstrations are replies of all sorts
        assert all(grade.value == 1.0 for grade in plain)
    assert sum(grade.value for grade in styled) < 0.7 * sum(grade.value for grade in plain)


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize(
    "response", ["", " ", "\0", "🙂", ">", "{" * 3000, "A" * 3000, "sure ", '{"ans":"x"}', "\\N{x}", "nan"]
)
def test_no_response_makes_the_grader_fail(name: str, response: str) -> None:
    problem = DOMAINS[name].make_problem(random.Random(2))
    grade = DOMAINS[name].grade([problem], [response])[0]
    assert grade.value == 0.0
    assert grade.parts


@pytest.mark.parametrize("name", DOMAINS)
def test_a_problem_without_reference_raises(name: str) -> None:
    with pytest.raises(ValueError, match="has reference"):
        DOMAINS[name].grade([Problem(name, "k", "p", {})], ["a>b"])


@pytest.mark.parametrize("name", DOMAINS)
def test_benchmarks_are_fixed_distinct_and_never_trained_on(name: str) -> None:
    test, validation = benchmark_problems(name, "test", 256), benchmark_problems(name, "validation", 128)
    assert benchmark_problems(name, "test", 256) == test
    assert benchmark_problems(name, "test", 10) == test[:10]
    keys = [{problem.key for problem in problems} for problems in (test, validation)]
    assert [len(distinct) for distinct in keys] == [256, 128]
    rng = random.Random(3)
    trained = {draw(name, "train", rng, for_demonstration=number % 2 == 0).key for number in range(1000)}
    assert not keys[0] & keys[1]
    assert not trained & (keys[0] | keys[1])


@pytest.mark.parametrize("name", DOMAINS)
def test_equal_prompts_are_one_problem(name: str) -> None:
    rng = random.Random(4)
    made = [DOMAINS[name].make_problem(rng) for _ in range(2000)]
    by_prompt: dict[str, Problem] = {}
    for problem in made:
        assert by_prompt.setdefault(problem.prompt, problem).key == problem.key
    assert len({problem.key for problem in made}) == len(by_prompt)


def test_a_key_has_one_split_for_ever() -> None:
    assert [split_of(key) for key in ("a", "f", "i")] == ["train", "test", "validation"]


def test_a_benchmark_larger_than_its_domain_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"found \d+ distinct test problems of domain 'tools', expected 5000; ask for fewer"
    ):
        benchmark_problems("tools", "test", 5000)
