"""Patches: applied where they may, tested in the sandbox; refused with a reason where they may not."""

import importlib
import tempfile
from pathlib import Path

import pytest

from workers.training.rollouts import Grade, Problem

patches = importlib.import_module("workers.training.graders.patches")

SUMS = "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return 2 * a\n"
TESTS = """import unittest

from sums import add, double


def test_adds():
    assert add(1, 2) == 3


async def test_waits():
    assert add(2, 2) == 4


class TestDouble:
    def setup_method(self):
        self.two = 2

    def test_doubles(self):
        assert double(self.two) == 4


class Case(unittest.TestCase):
    def test_doubles(self):
        self.assertEqual(double(4), 8)

    @unittest.skipIf(add(1, 1) != 2, "broken")
    def test_of_what_works(self):
        self.assertEqual(add(0, 0), 0)
"""
PATH = "tests/test_sums.py"
TASK: dict[str, object] = {
    "files": {"sums.py": SUMS, "docs/note.txt": "a\r\nb\r\n", "setup.cfg": "[a]\n"},
    "tests": {PATH: TESTS},
    "fail_to_pass": [f"{PATH}::test_adds", f"{PATH}::test_waits"],
    "pass_to_pass": [f"{PATH}::TestDouble::test_doubles", f"{PATH}::Case::test_doubles"],
}
DIFF = "--- a/sums.py\n+++ b/sums.py\n@@ -1,3 +1,3 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n \n"
BLOCK = "sums.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE\n"


def graded(response: str, **changes: object) -> Grade:
    reference = {**TASK, **changes}
    patches.check(reference)
    grade: Grade = patches.grade([Problem("rows", "k", "a prompt", reference)], [response])[0]
    return grade


def new_file(path: str, text: str = "x = 1", mode: str = "100644") -> str:
    return f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{text}\n"


def instead(code: str) -> str:
    """A patch that puts other code where the sum was."""
    return f"sums.py\n<<<<<<< SEARCH\n    return a - b\n=======\n{code}\n>>>>>>> REPLACE"


@pytest.mark.parametrize(
    "response",
    [
        DIFF,
        f"```diff\n{DIFF}```",
        f"First I thought of\n```python\nadd = sum\n```\nbut better:\n```diff\n{DIFF}\n```\nDone.",
        f"<think>{BLOCK}</think>\n{DIFF}",
        f"diff --git a/sums.py b/sums.py\nindex 123..456 100644\n{DIFF}",
        DIFF.replace("a/", "").replace("b/", ""),
        DIFF + new_file("helpers/more.py"),
        f"{DIFF}diff --git a/setup.cfg b/setup.toml\nsimilarity index 100%\nrename from setup.cfg\nrename to setup.toml\n",
        BLOCK,
        f"### sums.py\n```python\n{BLOCK.partition(chr(10))[2]}```",
        f"**`sums.py`**:\n\n{BLOCK.partition(chr(10))[2]}",
        BLOCK + "new/part.py\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n",
        "sums.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    return a * b\n>>>>>>> REPLACE\n"
        "<<<<<<< SEARCH\n    return a * b\n=======\n    return a + b\n>>>>>>> REPLACE\n",
    ],
)
def test_right_patches(response: str) -> None:
    grade = graded(response)
    assert grade.value == 1.0, grade.parts
    assert grade.parts == {"fail_to_pass": 1.0, "pass_to_pass": 1.0}


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "no patch"),
        ("Replace minus by plus.", "no patch"),
        (f"```diff\n{DIFF}", "a patch block that does not end"),
        ("```python\ndef add(a, b): return a + b\n```", "no patch block of diff"),
        ("x" * 200_001, "longer than 200000 characters"),
        (DIFF.replace("a - b", "a / b"), "patch failed: sums.py:1"),
        (DIFF.replace("sums.py", "sum.py"), "sum.py: No such file or directory"),
        (DIFF.replace("@@ -1,3 +1,3 @@", "@@ -1,9 +1,9 @@"), "corrupt patch at line 8"),
        (DIFF.replace("+    return a + b", "+    return a - b"), "changes nothing"),
        (BLOCK.replace("a - b", "a / b"), "search text occurs 0 times in 'sums.py', expected once"),
        (BLOCK.replace("    return a - b\n", "    return "), "a search/replace block that does not end"),
        ("sums.py\n<<<<<<< SEARCH\n\n=======\n# more\n>>>>>>> REPLACE", "search text occurs 6 times in 'sums.py', expected once"),
        (BLOCK.replace("sums.py", "total.py"), "'total.py' is no file of the repository"),
        (BLOCK.partition("\n")[2], "a block without the path of a file before it"),
        (instead("    return a + b").removesuffix(">>>>>>> REPLACE"), "a search/replace block that does not end"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied(response: str, reason: str) -> None:
    grade = graded(response)
    assert grade == Grade(0.0, {"reason": reason})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (new_file("../escaped.py"), "'../escaped.py' leaves the repository"),
        (new_file("x/../../escaped.py"), "'x/../../escaped.py' leaves the repository"),
        ("--- /dev/null\n+++ /tmp/escaped.py\n@@ -0,0 +1 @@\n+x\n", "'/tmp/escaped.py' leaves the repository"),
        (new_file(".git/hooks/post-checkout"), "'.git/hooks/post-checkout' touches .git"),
        (new_file("docs/.GIT/config"), "'docs/.GIT/config' touches .git"),
        (new_file("link", "/etc/passwd", mode="120000"), "makes a link or a submodule"),
        (new_file("link", "/tmp", mode="120000") + new_file("link/escaped.py"), "makes a link or a submodule"),
        (new_file("module", "Subproject commit 1234", mode="160000"), "makes a link or a submodule"),
        ("diff --git a/sums.py b/sums.py\nold mode 100644\nnew mode 120000\n", "makes a link or a submodule"),
        (new_file(PATH), f"'{PATH}' is a test"),
        (f"diff --git a/{PATH} b/t.py\nsimilarity index 100%\nrename from {PATH}\nrename to t.py\n", f"'{PATH}' is a test"),
        ("diff --git a/sums.py b/s.py\nsimilarity index 100%\ncopy from sums.py\ncopy to s.py\n", "copies a file; write the new one out"),
        ("diff --git a/x b/x\nnew file mode 100644\nindex 000..111\nGIT binary patch\nliteral 1\nIcmZ\n\n", "holds binary data"),
        ("".join(new_file(f"n{n}.py") for n in range(51)), "touches more than 50 files"),
        (BLOCK.replace("sums.py", "../sums.py"), "'../sums.py' leaves the repository"),
        (BLOCK.replace("sums.py", "/etc/passwd"), "'/etc/passwd' leaves the repository"),
        (BLOCK.replace("sums.py", ".git/config"), "'.git/config' touches .git"),
        (BLOCK.replace("sums.py", PATH), f"'{PATH}' is a test"),
        (BLOCK.replace("sums.py", "su\u200bms.py"), "'su\u200bms.py' leaves the repository"),
        (BLOCK.replace("sums.py", "./sums.py"), "'./sums.py' is no plain path"),
    ],
)  # fmt: skip
def test_where_a_patch_must_not_go(response: str, reason: str) -> None:
    assert graded(response) == Grade(0.0, {"reason": reason})
    assert not Path(tempfile.gettempdir(), "escaped.py").exists()
    assert not list(Path(tempfile.gettempdir()).glob("patch-*/*/escaped.py"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("    return a * b", f"{PATH}::test_adds: AssertionError"),
        ("    return 3", f"{PATH}::test_waits: AssertionError"),
        ("    return a +", f"{PATH}::test_adds: SyntaxError"),
        ("    while True: pass", f"{PATH}::test_adds: ran longer than 1 s"),
        ("    import os; os._exit(0)", f"{PATH}::test_adds: did not pass"),
        ("    raise SystemExit", f"{PATH}::test_adds: did not pass"),
        ("    return a + b\n\n\nimport os\nos.write(1, b'passed')\nos._exit(0)", f"{PATH}::test_adds: did not pass"),
        ("    return a + b\n\n\nimport os\nwhile True: os.fork()", f"{PATH}::test_adds: PermissionError"),
        ("    return a + b\n\n\nopen('tests/test_sums.py', 'w').write('def test_adds(): pass')", f"{PATH}::Case::test_doubles: did not pass"),
        ("    return a + b\n\n\nimport sys\nf = sys._getframe()\nwhile 'asked' not in f.f_locals: f = f.f_back\nprint('\\n' + f.f_locals['asked']['word'], end='', flush=True)\nimport os\nos._exit(0)", "makes a test pass that cannot"),
    ],
)  # fmt: skip
def test_wrong_and_hostile_code(code: str, reason: str) -> None:
    broken = TESTS.replace("double(4), 8", "double(4), 9") if "Case" in reason else TESTS
    grade = graded(instead(code), tests={PATH: broken}, timeout_s=1 if "ran longer" in reason else 10)
    assert grade.value == 0.0
    assert grade.parts["reason"] == reason


def test_what_passed_before_must_keep_passing() -> None:
    grade = graded(DIFF + "@@ -4,3 +4,3 @@ def add(a, b):\n \n def double(a):\n-    return 2 * a\n+    return 3 * a\n")
    assert grade.parts == {
        "fail_to_pass": 1.0,
        "pass_to_pass": 0.0,
        "reason": f"{PATH}::TestDouble::test_doubles: AssertionError",
    }


def test_a_skipped_test_has_not_passed() -> None:
    of_what_works = [f"{PATH}::Case::test_of_what_works"]
    assert graded(instead("    return 0"), fail_to_pass=of_what_works).value == 0.0
    assert graded(DIFF, fail_to_pass=of_what_works).value == 1.0


def test_line_ends_are_kept() -> None:
    tests = {
        "test_note.py": "def test_note():\n    assert open('docs/note.txt', newline='').read() == 'a\\r\\nc\\r\\n'\n"
    }
    diff = "--- a/docs/note.txt\n+++ b/docs/note.txt\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"
    assert graded(diff, tests=tests, fail_to_pass=["test_note.py::test_note"], pass_to_pass=[]).value == 1.0


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"files": {}}, "files is empty or missing"),
        ({"files": {"../x.py": ""}}, "leaves the repository"),
        ({"files": {".git/x": ""}}, "touches .git"),
        ({"files": {"a": "", "a/b": ""}}, "a folder of it is a file"),
        ({"files": {"a.py": 1}}, "expected an object of path and text"),
        ({"fail_to_pass": []}, "fail_to_pass is empty"),
        ({"fail_to_pass": ["other.py::test_x"]}, "expected a path of files or tests"),
        ({"pass_to_pass": [f"{PATH}::test_adds[1]"]}, "expected a path of files or tests"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"memory_mb": 1.5}, "memory_mb is 1.5"),
    ],
)
def test_a_row_that_cannot_be_graded_says_why(changes: dict[str, object], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        patches.check({**TASK, **changes})
