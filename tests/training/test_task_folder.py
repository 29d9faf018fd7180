"""What a folder of tasks may not hold: code, ways out of it, and scores that no document has."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.task_folders import write_tasks
from workers.spec import TaskBenchmarkSpec
from workers.task_folder import allowed_folder, check_folder_task, check_known_task
from workers.task_spec import TaskError


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "root" / "tasks")


def asked(name: str = "small_likely", **changes: Any) -> TaskBenchmarkSpec:
    return TaskBenchmarkSpec.model_validate({"task": name, "task_folder": "tasks", "metric": "acc", **changes})


def refusal(tasks: Path, spec: TaskBenchmarkSpec | None = None, *, allow_code: bool = False) -> TaskError:
    with pytest.raises(TaskError) as caught:
        check_folder_task(tasks, spec or asked(), allow_code=allow_code)
    return caught.value


def change(tasks: Path, old: str, new: str, *, name: str = "likely.yaml") -> None:
    text = (tasks / name).read_text()
    assert old in text
    (tasks / name).write_text(text.replace(old, new))


@pytest.mark.parametrize("name", ["small_choice", "small_group", "small_likely"])
def test_plain_tasks_pass(tasks: Path, name: str) -> None:
    check_folder_task(tasks, asked(name), allow_code=False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('doc_to_text: "{{question}}"', "doc_to_text: !function os.system", "found !function os.system in likely.yaml"),
        ("include: common.yaml\n", "include: common.yaml\nprocess_docs: !function utils.clean\n", "!function utils.clean"),
        ("include: common.yaml\n", "include: common.yaml\nclass: !function task.Own\n", "!function task.Own"),
        ("include: common.yaml\n", "include: common.yaml\nclass: task.Own\n", "class of task"),
        ("include: common.yaml\n", "include: common.yaml\nunsafe_code: true\n", "unsafe_code of task"),
        ("include: common.yaml\n", "include: common.yaml\nuse_prompt: promptsource:x\n", "use_prompt of task"),
        ("metric: acc,", "metric: ./own_metric,", "the metric ./own_metric of task"),
        ("metric: acc,", "metric: acc, hf_evaluate: true,", "the metric acc of task"),
    ],
)  # fmt: skip
def test_code_is_refused_unless_the_operator_allows_it(tasks: Path, old: str, new: str, said: str) -> None:
    change(tasks, old, new)
    error = refusal(tasks)
    assert error.field == "task_folder"
    assert said in str(error)
    assert "ALLOW_TASK_CODE=true" in str(error)


def test_code_that_is_allowed_still_has_to_measure_something(tasks: Path) -> None:
    change(tasks, 'doc_to_text: "{{question}}"', "doc_to_text: !function utils.ask")
    (tasks / "utils.py").write_text("raise RuntimeError('was imported')")
    check_folder_task(tasks, asked(), allow_code=True)  # and runs nothing of it
    assert "perplexity" in str(refusal(tasks, asked(metric=""), allow_code=True))


def test_a_python_file_is_refused_though_nothing_names_it(tasks: Path) -> None:
    (tasks / "utils.py").write_text("")
    assert "found the file utils.py" in str(refusal(tasks))


def test_code_in_an_included_file_is_found(tasks: Path) -> None:
    change(tasks, "test_split: test", "test_split: test\nprocess_results: !function utils.grade", name="common.yaml")
    assert "!function utils.grade" in str(refusal(tasks))


def test_an_unknown_tag_is_no_task(tasks: Path) -> None:
    change(tasks, 'doc_to_text: "{{question}}"', "doc_to_text: !!python/name:os.system")
    assert "likely.yaml is no YAML of a task" in str(refusal(tasks))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("likely_test.jsonl", "/etc/passwd", "task 'small_likely' reads '/etc/passwd', expected a path inside its folder"),
        ("likely_test.jsonl", "../../secret.jsonl", "expected a path inside its folder"),
        ("likely_test.jsonl", "https://somewhere/x.jsonl", "expected a path inside its folder"),
        ("dataset_path: json", "dataset_path: pandas", "expected one of: json, csv, parquet, text, arrow"),
        ("dataset_path: json", "dataset_path: ../other", "expected a path inside its folder"),
        ("{data_files: {test", "{cache_dir: /tmp, data_files: {test", "found dataset_kwargs cache_dir"),
        ("include: common.yaml", "include: ../common.yaml", "expected a .yaml file of the same folder"),
        ("include: common.yaml", "include: common.txt", "expected a .yaml file of the same folder"),
        ("include: common.yaml", "include: likely.yaml", "expected a .yaml file of the same folder"),  # itself, for ever
    ],
)  # fmt: skip
def test_ways_out_of_the_folder_are_refused(tasks: Path, old: str, new: str, said: str) -> None:
    change(tasks, old, new)
    assert said in str(refusal(tasks))


@pytest.mark.parametrize(
    ("spec", "field", "said"),
    [
        (asked(metric=""), "metric", "the metric of task 'small_likely' is perplexity, which has no upper end"),
        (asked(metric="exact_match"), "metric", "task 'small_likely' has: perplexity, acc; pick one of these"),
        (asked(filter="other"), "filter", "task 'small_likely' has: none; pick one of these"),
        (asked("smal_likely"), "task", "expected one of: small_choice, small_generate, small_group, small_likely, small_second"),
    ],
)  # fmt: skip
def test_what_gives_no_document_a_score_is_refused(tasks: Path, spec: Any, field: str, said: str) -> None:
    error = refusal(tasks, spec)
    assert error.field == field
    assert said in str(error)


def test_perplexity_is_refused(tasks: Path) -> None:
    change(tasks, "output_type: loglikelihood", "output_type: loglikelihood_rolling")
    assert "measures perplexity (output_type loglikelihood_rolling)" in str(refusal(tasks))


def test_a_metric_that_is_better_the_lower_is_refused(tasks: Path) -> None:
    change(tasks, "metric: acc, aggregation: mean, higher_is_better: true", "metric: acc, higher_is_better: false")
    assert "takes the mean of acc, better the lower" in str(refusal(tasks))


def test_a_member_of_a_group_is_checked_with_what_the_group_sets(tasks: Path) -> None:
    change(tasks, "small_second]", "{task: small_second, metric_list: [{metric: f1}]}]", name="group.yaml")
    assert "task 'small_second' has: f1" in str(refusal(tasks, asked("small_group")))


def test_folders_lie_below_a_root_without_a_detour(tasks: Path, tmp_path: Path) -> None:
    root, elsewhere = tasks.parent, write_tasks(tmp_path / "elsewhere")
    assert allowed_folder("tasks", [root]) == tasks
    assert allowed_folder(str(tasks), [tmp_path / "none", root]) == tasks
    for given in (str(elsewhere), "../elsewhere", "tasks/../../elsewhere", "nowhere", "tasks/choice.yaml"):
        with pytest.raises(TaskError, match="found no folder"):
            allowed_folder(given, [root])
    with pytest.raises(TaskError, match="have TASKS_DIRS name the folders"):
        allowed_folder("tasks", [])


def test_links_are_refused(tasks: Path, tmp_path: Path) -> None:
    root, elsewhere = tasks.parent, write_tasks(tmp_path / "elsewhere")
    (root / "linked").symlink_to(elsewhere)
    with pytest.raises(TaskError, match="found the symbolic link linked on the way"):
        allowed_folder("linked", [root])
    (tasks / "choice_test.jsonl").unlink()
    (tasks / "choice_test.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(TaskError, match="found the symbolic link choice_test"):
        allowed_folder("tasks", [root])


def test_a_task_of_the_harness_is_known_by_its_name() -> None:
    pytest.importorskip("lm_eval", reason="needs requirements-lm-eval.txt")
    check_known_task("arc_easy")
    check_known_task("mmlu")
    with pytest.raises(TaskError, match=r"found no task 'arc_eazy'.*did you mean arc_easy"):
        check_known_task("arc_eazy")


TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: likely_test.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: [a, b]
doc_to_target: 0
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("task: other\ndoc_to_text: !function subprocess.Popen", "found !function subprocess.Popen"),
        ("task: other\ndoc_to_text: !function a.f\ndoc_to_text: plain", "found !function a.f"),  # a key given twice
        ("task: other\n? !function a.f\n: 1", "found !function a.f"),
        ("task: other\nmetadata: !!pairs [a: !function a.f]", "found !function a.f"),
        ("no_task: 1\ndoc_to_text: !function a.f", "found !function a.f"),  # as an included file
        (TASK.format(name="small_likely"), "found 'small_likely' twice"),
        (TASK.format(name="other") + "tag: small_likely", "found 'small_likely' twice"),
        ("group: g\ntask: [small_likely]\ndataset_kwargs: {data_files: {test: /etc/passwd}}", "task 'g' reads '/etc/passwd'"),
        ("group: g\ntask: [{task: small_likely, dataset_kwargs: {data_dir: ../..}}]", "reads '../..'"),
        ("group: g\ntask: [small_likely]\ndataset_kwargs: {trust_me: 1}", "found dataset_kwargs trust_me in task 'g'"),
        ("group: g\ntask: [small_likely]\nclass: x", "found class of task 'g'"),
        ("a: &x [1]\nb: *x", "found the alias *x"),
        ("a: 2001-99-99", "is no YAML of a task"),
        ("a: " + "[" * 3000, "is no YAML of a task"),
    ],
)  # fmt: skip
def test_no_other_file_of_the_folder_brings_what_the_task_may_not(tasks: Path, more: str, said: str) -> None:
    """The harness and this check need not agree on which file, key or level is the task's."""
    (tasks / "aaa.yaml").write_text(more)
    assert said in str(refusal(tasks))


def test_documents_come_without_settings_of_their_own(tasks: Path) -> None:
    (tasks / "documents").mkdir()
    (tasks / "documents" / "README.md").write_text("---\nconfigs: []\n---\n")
    change(tasks, "dataset_path: json", "dataset_path: documents")
    assert "found README.md among the documents" in str(refusal(tasks))


def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="found no folder"):
        allowed_folder("\N{GRINNING FACE}" * 200, [tmp_path])
