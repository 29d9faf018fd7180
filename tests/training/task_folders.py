"""Three small tasks of the lm-evaluation-harness on disk, and a group of two; documents in words the tiny tokenizer knows."""

import json
from pathlib import Path

CHOICES = """\
task: small_choice
dataset_path: json
dataset_kwargs: {data_files: {train: choice_train.jsonl, validation: choice_validation.jsonl, test: choice_test.jsonl}}
training_split: train
validation_split: validation
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: right
target_delimiter: ""
metric_list:
- {metric: acc, aggregation: mean, higher_is_better: true}
- {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 2.0}
"""
GENERATES = """\
include: common.yaml
task: small_generate
dataset_path: json
dataset_kwargs: {data_files: {test: generate_test.jsonl}}
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n"], do_sample: false, max_gen_toks: 8}
filter_list:
- name: letter
  filter:
  - {function: regex, regex_pattern: "([a-z0-9])", group_select: 0}
  - {function: take_first}
- name: whole
  filter: [{function: take_first}]
metric_list:
- {metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}
"""
COMMON = "test_split: test\nmetadata: {version: 1.0}\n"
LIKELY = """\
include: common.yaml
task: small_likely
dataset_path: json
dataset_kwargs: {data_files: {test: likely_test.jsonl}}
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list:
- {metric: perplexity, aggregation: perplexity, higher_is_better: false}
- {metric: acc, aggregation: mean, higher_is_better: true}
"""
GROUP = """\
group: small_group
task: [small_choice, small_second]
aggregate_metric_list: [{metric: acc, aggregation: mean, weight_by_size: true}]
metadata: {version: 1.0}
"""


def write_tasks(folder: Path, n: int = 24) -> Path:
    """Write the tasks into a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "choice.yaml": CHOICES,
        "second.yaml": CHOICES.replace("small_choice", "small_second").replace("{{question}}", "find {{question}}"),
        "generate.yaml": GENERATES,
        "common.yaml": COMMON,
        "likely.yaml": LIKELY,
        "group.yaml": GROUP,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    letters = "abcdefghijkl"
    for split, start in (("train", 100), ("validation", 200), ("test", 0)):
        rows = [
            {
                "question": f"max {start + i} {letters[i % 12]}",
                "options": ["tea", "cake", "soup and rice"],
                "right": i % 3,
            }
            for i in range(n)
        ]
        _write(folder / f"choice_{split}.jsonl", rows)
    _write(folder / "generate_test.jsonl", [{"question": f"repeat {c}", "answer": c} for c in "abcdefghij0123456789"])
    _write(folder / "likely_test.jsonl", [{"question": f"find {i}", "answer": str(i % 7)} for i in range(n)])
    return folder


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
