"""Where the code of an answer stands: in its last fenced block, or bare."""

import re

_FENCE = re.compile(r"^ {0,3}(`{3,})[ \t]*([^`\s]*)[^`\n]*$")


class NoCodeError(ValueError):
    """An answer without the code that was asked for; says so in a few words."""


def last_block(answer: str, tags: tuple[str, ...]) -> str:
    """Take the last fenced block with one of these tags or none, else the whole answer where it has no fence at all.

    Raises NoCodeError for an answer that is empty, that ends inside a block, or whose blocks are all of other kinds.
    """
    blocks: list[tuple[str, str]] = []
    lines: list[str] = []
    fence, tag, has_fence = "", "", False
    for line in answer.split("\n"):
        found = _FENCE.match(line)
        if not fence and found:
            fence, tag, lines, has_fence = found[1], found[2].lower(), [], True
        elif fence and found and not found[2] and len(found[1]) >= len(fence):
            blocks.append((tag, "\n".join(lines)))
            fence = ""
        else:
            lines.append(line)
    if fence:
        raise NoCodeError("a code block that does not end")
    wanted = [text for tag, text in blocks if not tag or tag in tags]
    if has_fence and not wanted:
        raise NoCodeError(f"no code block of {tags[0]}")
    code = wanted[-1] if has_fence else answer
    if not code.strip():
        raise NoCodeError("no code")
    return code
