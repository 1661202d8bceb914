"""The verb `export`: a checkpoint as an ONNX file that was checked against it."""

from itertools import islice
from pathlib import Path

from dataset.errors import InputError
from dataset.footage import find_footage, shots
from dataset.images import read_image
from dataset.store import Dataset
from models.detector.onnx_export import export

CHECKED = 16  # images


def export_once(checkpoint: Path, out: Path, inputs: list[str]) -> str:
    """Write `out` and tell how far its results are from the checkpoint's.

    inputs: images, folders and videos to compare on; without any, the data that `train` left beside the checkpoint.
    """
    if out.suffix != ".onnx":
        raise InputError(out, "the file's name does not end in .onnx", "name it like detector.onnx")
    if inputs:
        pictures = (shot.image for shot in islice(shots(find_footage(inputs)), CHECKED))
    else:
        pictures = (read_image(path) for path in _training_images(checkpoint))
    parity = export(checkpoint, out, pictures)
    return (
        f"{out}: {out.stat().st_size / 2**20:.1f} MiB; on {parity.images} images the largest differences to "
        f"{checkpoint.name} are\n  score {parity.score:.1e}, occlusion {parity.occlusion:.1e}, "
        f"box {parity.box_px:.1e} px at the input's size"
    )


def _training_images(checkpoint: Path) -> list[str]:
    """Images spread over the data set beside a checkpoint that the verb `train` wrote."""
    folder = checkpoint.parent / "data"
    if not checkpoint.is_file():
        return []  # `export` tells
    if not folder.is_dir():
        raise InputError(
            checkpoint, "there is no data set beside it to compare both networks on", "name images with --images"
        )
    dataset = Dataset.open(folder)
    rows = range(0, len(dataset), max(1, len(dataset) // CHECKED))
    return [dataset.image_path(row) for row in rows[:CHECKED]]
