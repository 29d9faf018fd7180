"""How a model's chat template writes a short conversation: with a thinking switch on and off, and with a tool.

The template is a program of somebody else's. transformers renders it in Jinja's sandbox, which keeps it from the rest of
Python but bounds neither its time nor its memory, and a single power or repetition never lets a signal's handler run. So it is
rendered in a process of its own, forked from this one, which is killed when its time is over.
"""

import multiprocessing
import resource
from typing import Any, NamedTuple

import psutil
from pebble import ProcessExpired, concurrent

from workers.training.bad_spec import BadSpecError

LIMIT_S = 10
MORE_MEMORY_BYTES = 2**30
LONGEST = 100_000  # characters of what is written that are kept and compared
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 12 * 12?"},
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "multiply",
            "description": "Multiply.",
            "parameters": {"type": "object", "properties": {}},
        },
    }
]


class Samples(NamedTuple):
    """What a template makes of a conversation; `tools` is None where it fails when it is given one."""

    plain: str
    thinking: str
    no_thinking: str
    tools: str | None


def write_samples(tokenizer: Any) -> Samples:
    """Render the template in its own process; raises BadSpecError where it cannot write the conversation."""
    rendering = concurrent.process(timeout=LIMIT_S, mp_context=multiprocessing.get_context("fork"))(_write_samples)
    try:
        written: Samples = rendering(tokenizer).result()
        return written
    except TimeoutError:
        words = f"it took longer than {LIMIT_S} s"
    except ProcessExpired as error:
        words = f"its process ended with code {error.exitcode}"
    except Exception as error:
        # Whatever a program of somebody else's raises is the reason.
        words = f"{type(error).__name__}: {storable(str(error))}"[:300]
    raise BadSpecError(f"the chat template cannot write a short conversation ({words}); mend it, then retry")


def storable(text: str) -> str:
    """Replace what no database stores and no file holds: NUL, and halves of characters."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()


def _write_samples(tokenizer: Any) -> Samples:
    _confine()
    return Samples(
        plain=_render(tokenizer),
        thinking=_render(tokenizer, enable_thinking=True),
        no_thinking=_render(tokenizer, enable_thinking=False),
        tools=_render_or_none(tokenizer, tools=TOOLS),
    )


def _confine() -> None:
    """Bound memory, and processor time too, should the parent be killed before it can end this process."""
    most = psutil.Process().memory_info().vms + MORE_MEMORY_BYTES
    for kind, limit in ((resource.RLIMIT_AS, most), (resource.RLIMIT_CPU, LIMIT_S + 1)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _render(tokenizer: Any, **options: Any) -> str:
    """Write the conversation as the template has it; some know no system turn."""
    try:
        return _apply(tokenizer, MESSAGES, options)
    except Exception:
        return _apply(tokenizer, MESSAGES[1:], options)


def _render_or_none(tokenizer: Any, **options: Any) -> str | None:
    try:
        return _render(tokenizer, **options)
    except Exception:
        return None


def _apply(tokenizer: Any, messages: list[dict[str, str]], options: dict[str, Any]) -> str:
    text: str = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **options)
    return storable(text[:LONGEST])
