"""The rules that keep the tree easy to see."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path
    for folder in ("cascade_web", "runs", "workers", "bench", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): n for path in CODE if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_no_function_is_longer_than_60_lines_and_the_loop_than_80() -> None:
    long = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                limit = 80 if path.name == "trainer.py" else 60
                if (node.end_lineno or 0) - node.lineno + 1 > limit:
                    long.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not long


def test_a_status_changes_only_in_lifecycle() -> None:
    writes = re.compile(r"(update\([^)]*\bstatus=|\.status\s*=[^=])", re.DOTALL)
    code = [path for path in CODE if path.is_relative_to(ROOT / "runs") or path.name == "tasks.py"]
    found = [path.name for path in code if writes.search(path.read_text()) and path.name != "lifecycle.py"]
    assert not found


def test_the_web_and_the_tasks_never_load_torch() -> None:
    program = (
        "import django, sys; django.setup();"
        "import cascade_web.urls, workers.data_tasks;"
        "sys.exit(sorted({'torch', 'transformers'} & set(sys.modules)).__repr__() if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, env=_environment())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_files_named_in_documents_exist(document: str) -> None:
    named = re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|yaml|yml|toml|txt|css|js))`", (ROOT / document).read_text())
    tracked = [
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts and "var" not in path.parts
    ]
    missing = [name for name in named if not any(path == name or path.endswith("/" + name) for path in tracked)]
    made_by_a_run = {"spec.json", "steps.jsonl", "log.txt", "outcome.json", "scores.jsonl", "progress.json"}
    assert not set(missing) - made_by_a_run


def _environment() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "cascade_web.settings"}
