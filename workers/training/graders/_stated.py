"""Where an answer is stated: in a box, after "the answer is", or as the whole last line.

Only what follows the thinking counts. Every search reads the text once, so that no answer makes it slow.
"""

import re

_BOX = "\\boxed{"
_CUE = re.compile(
    r"\b(?:final\s+|correct\s+|right\s+)?(?:answer|option|choice)\b\W{0,3}\s{0,9}(?:is\b\s{0,9}:?|:|=)|####",
    re.IGNORECASE,
)


def boxes(text: str) -> list[str]:
    """List what stands in each `\\boxed{...}`, in order: braces matched, the innermost of nested ones, no unclosed one."""
    found: list[str] = []
    opened: list[int] = []  # where the content of each open brace begins, below zero for a brace that is no box
    at, found_at = 0, -1
    while at < len(text):
        if text.startswith(_BOX, at):
            at += len(_BOX)
            opened.append(at)
            continue
        if text[at] == "\\":
            at += 2  # an escaped brace opens and closes nothing
            continue
        if text[at] == "{" and opened:
            opened.append(-1)
        elif text[at] == "}" and opened:
            start = opened.pop()
            if start > found_at:
                found.append(text[start:at].strip())
                found_at = start
        at += 1
    return found


def boxes_of_the_last_line(text: str) -> list[str]:
    """List the boxes from the line on in which the last one begins: those before it may be steps on the way."""
    return boxes(text[text.rfind("\n", 0, max(text.rfind(_BOX), 0)) + 1 :])


def last_line(text: str) -> str:
    """Take the last line that is not empty, without the marks of bold text around it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip().strip("*_").strip() if lines else ""


def plain_answer(text: str) -> str:
    """Take what follows the last line's last "the answer is", "Answer:" or "####", else the whole last line."""
    line = last_line(text)
    cues = list(_CUE.finditer(line))
    return (line[cues[-1].end() :] if cues else line).strip().strip("*_").strip()
