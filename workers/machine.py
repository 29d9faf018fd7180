"""What this machine has: the memory that a stage may take, the GPUs that its processes may have."""

from pathlib import Path

import psutil

from workers.estimate import TooLargeError

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_DRIVER = Path("/proc/driver/nvidia")


def memory_bytes() -> int:
    """Tell how much memory there is in all, of which a container may be given less than the machine has."""
    total: int = psutil.virtual_memory().total
    return min([total, *(int(text) for text in map(_read, _LIMITS) if text.isdigit())])


def has_gpu() -> bool:
    """Tell whether a trainer would put its model on a GPU, whose memory only the trainer itself can ask for."""
    return _DRIVER.exists()


def count_gpus() -> int:
    """Count the GPUs that the driver knows, of which a trainer may be shown fewer."""
    return len(list(_DRIVER.glob("gpus/*")))


def refuse_if_too_few_gpus(stage: str, processes: int, n_gpus: int) -> None:
    """Raise TooLargeError where processes have no GPU each; a single one takes what there is."""
    if processes > max(1, n_gpus):
        raise TooLargeError(
            f"stage '{stage}' has {processes} processes, one GPU each, and this machine has {n_gpus}; lower processes to "
            f"{max(1, n_gpus)}, or use a machine with more GPUs"
        )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
