"""What can go wrong in a stage, in words that say what to do."""

import errno
import traceback

from safetensors import SafetensorError

from workers.estimate import TooLargeError
from workers.stage_dir import FolderBusyError, Outcome
from workers.training.bad_spec import BadSpecError
from workers.training.distributed import n_processes
from workers.training.judge import JudgeAwayError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_DISK_WORDS = ("No space left on device", "os error 28", "Read-only file system", "os error 30", "Disk quota exceeded")
_ALONE_WORDS = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exit")
_MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "Cannot allocate memory")


class CorruptCheckpointError(RuntimeError):
    """A checkpoint's files are not what was written; the message names it and says what to do."""


class NotFiniteError(RuntimeError):
    """The loss or its gradient is no number any more."""

    def __init__(self, step: int, loss: float, grad_norm: float) -> None:
        super().__init__(
            f"the loss is {loss:g} and the gradient norm {grad_norm:g} at step {step}; no weight was changed by it. "
            "Lower learning_rate or raise warmup_steps"
        )


def is_left_alone(error: BaseException) -> bool:
    """Tell whether one of several processes failed only because another one is gone."""
    return n_processes() > 1 and isinstance(error, RuntimeError) and _has(str(error), _ALONE_WORDS)


def outcome_of(error: BaseException, step: int) -> Outcome:
    """Say plainly why a process failed; what nobody foresaw becomes code 'error' with the exception's last line."""
    code, reason = _code_and_reason(error)
    return Outcome(status="failed", code=code, reason=reason, step=step)


def _code_and_reason(error: BaseException) -> tuple[str, str]:
    text = str(error)
    if isinstance(error, FolderBusyError):
        return "error", text
    if isinstance(error, NotFiniteError):
        return "not_finite", text
    if isinstance(error, BadSpecError):
        return "bad_spec", text
    if isinstance(error, JudgeAwayError):
        return "judge_away", text
    if isinstance(error, TooLargeError):
        return "too_large", text
    if _is_disk_error(error):
        return (
            "disk_full",
            f"the disk cannot be written ({_last_line(error)}); free some space or make it writable, then retry",
        )
    if isinstance(error, CorruptCheckpointError):
        return "corrupt_checkpoint", text
    if isinstance(error, SafetensorError):
        return "corrupt_checkpoint", f"weights cannot be read ({text}); retry the stage that wrote them"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _has(text, _MEMORY_WORDS)):
        return "out_of_memory", (
            f"memory ran out ({_last_line(error)[:200]}); lower prompts_per_step, rollouts_per_prompt, batch_size or "
            "max_response_tokens, or use a machine with more memory, then retry"
        )
    return "error", _last_line(error)


def _is_disk_error(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _DISK_ERRORS
    # safetensors reports the system's errors as text
    return isinstance(error, SafetensorError) and _has(str(error), _DISK_WORDS)


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word.lower() in text.lower() for word in words)


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()
