"""Whether there is memory enough for a stage, asked before its weights are loaded."""

import torch

from workers.estimate import Device, count_teachers, estimate_stage, refuse_if_too_large
from workers.load import Range
from workers.machine import memory_bytes
from workers.model_shape import UnknownShapeError, read_shape, shape_of
from workers.spec import MOPDSpec, ResolvedStageSpec
from workers.stage_dir import StageDir


def check_memory(folder: StageDir, spec: ResolvedStageSpec) -> None:
    """Raise TooLargeError where a stage cannot fit; what has an unknown shape is tried."""
    try:
        if spec.start_folder is None:
            shape = shape_of(spec.model, folder.path)
        else:
            shape = read_shape(folder.path / spec.start_folder)
    except UnknownShapeError:
        return
    if isinstance(spec.stage, MOPDSpec):
        n = len({(folder.path / path).resolve() for path in spec.teacher_folders.values()})
        n_teachers = Range(n, n, n)
    else:
        n_teachers = count_teachers(spec.stage, position=0)
    device: Device = "gpu" if torch.cuda.is_available() else "cpu"
    refuse_if_too_large(estimate_stage(spec.stage, shape, n_teachers=n_teachers, device=device), device_bytes())


def device_bytes() -> int:
    """Tell how much memory there is where the model is."""
    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return memory_bytes()
