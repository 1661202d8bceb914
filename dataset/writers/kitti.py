"""A store as a KITTI object folder."""

import shutil
from pathlib import Path
from typing import Literal

import fsspec
import numpy as np

from dataset.errors import InputError
from dataset.readers.kitti import occlusion_levels
from dataset.schema import EVERY_CATEGORY, Camera, Frame, Objects
from dataset.store import Dataset


def write_kitti(ds: Dataset, folder: Path | str, images: Literal["link", "copy"] = "link") -> Path:
    """Write folder/training/{image_2,label_2,calib}; `folder` must not be there yet. Images are linked or copied.

    What KITTI cannot say is rounded: occlusion goes to the levels 0 to 2 (unknown: 3), and every ignore region
    becomes DontCare, which holds for all categories. An unknown truncation is -1. calib holds P0 to P3, all of them
    our camera, whose height and pitch have no place there; it is written when the frames have cameras, which must
    then be all of them or none, as KITTI knows no frame without calib among others.
    A slash in a frame id, and a space in a category, becomes an underscore. URLs are always copied. Raises InputError.
    """
    folder = Path(folder).absolute()
    if folder.exists():
        raise InputError(folder, "is there already", "give a new folder")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    image_dir, label_dir, calib_dir = (partial / "training" / name for name in ("image_2", "label_2", "calib"))
    image_dir.mkdir(parents=True)
    label_dir.mkdir()
    with_camera = 0
    try:
        for frame, objects in ds.stream():
            name = frame.frame_id.replace("/", "_")
            labels = label_dir / f"{name}.txt"
            if labels.exists():
                raise InputError(ds.folder, f"two frames would be named {name}", "make the frame ids unique")
            labels.write_text("".join(f"{line}\n" for line in label_lines(objects, ds.categories)))
            place_image(frame, image_dir / f"{name}{image_suffix(frame.image_path)}", images)
            if frame.camera is not None:
                calib_dir.mkdir(exist_ok=True)
                (calib_dir / f"{name}.txt").write_text(calib_text(frame.camera))
                with_camera += 1
        if 0 < with_camera < len(ds):
            problem = f"{with_camera} of {len(ds)} frames have a camera"
            raise InputError(ds.folder, problem, "give a camera when importing the others, or write COCO")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def image_suffix(path: str) -> str:
    return Path(path.partition("?")[0]).suffix.lower() or ".png"


def place_image(frame: Frame, target: Path, images: Literal["link", "copy"]) -> None:
    if "://" in frame.image_path:
        with fsspec.open(frame.image_path, "rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)  # pyright: ignore[reportArgumentType] (fsspec's stubs name no file type)
    elif not Path(frame.image_path).is_file():
        raise InputError(frame.image_path, f"image of frame {frame.frame_id} not found", "put it back")
    elif images == "copy":
        shutil.copyfile(frame.image_path, target)
    else:
        target.symlink_to(frame.image_path)


def label_lines(objects: Objects, categories: tuple[str, ...]) -> list[str]:
    """One line of 15 fields an object, with as many digits as it takes to read the same numbers back."""
    lines = []
    levels = occlusion_levels(objects.occlusion)
    for i in range(len(objects)):
        ignored = objects.ignore[i] or objects.category[i] == EVERY_CATEGORY
        x, _, z = location = objects.location_xyz_m[i]
        yaw = objects.yaw_rad[i]
        alpha = (yaw - np.arctan2(x, z) + np.pi) % (2 * np.pi) - np.pi  # the angle under which the camera sees it
        numbers = [
            *known(objects.box_xyxy_px[i], np.nan),
            *known(objects.dimensions_hwl_m[i], -1),
            *known(location, -1000),
            *known([yaw], -10),
        ]
        name = "DontCare" if ignored else categories[objects.category[i]].replace(" ", "_")
        occluded = -1 if ignored and np.isnan(objects.occlusion[i]) else levels[i]
        head = [name, *known([objects.truncation[i]], -1), str(occluded), *known([alpha], -10)]
        lines.append(" ".join(head + numbers))
    return lines


def known(values, unknown: float) -> list[str]:
    """Each number with the digits its type needs; all are `unknown` where one is NaN."""
    if np.isnan(values).any():
        return [f"{unknown:g}"] * len(values)
    return [np.format_float_positional(value, unique=True, trim="0") for value in values]


def calib_text(camera: Camera) -> str:
    p = [camera.fx_px, 0, camera.cx_px, 0, 0, camera.fy_px, camera.cy_px, 0, 0, 0, 1, 0]
    return "".join(f"P{i}: {' '.join(map(repr, map(float, p)))}\n" for i in range(4))
