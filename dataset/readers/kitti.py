"""KITTI object detection: image_2/NAME.png, label_2/NAME.txt, calib/NAME.txt (devkit_object, readme.txt)."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.readers.labelled_image import NAN, UNKNOWN_3D, Label, LabelledImage
from dataset.readers.text import read_text
from dataset.schema import Camera

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
FIELDS = 15
CAMERA_HEIGHT_M = 1.65
# P2 of most KITTI drives: 3x4, from the frame of camera 0, in which locations are given, to pixels of camera 2.
USUAL_P2 = np.array(
    [[721.5377, 0.0, 609.5593, 44.85728], [0.0, 721.5377, 172.854, 0.2163791], [0.0, 0.0, 1.0, 0.002745884]]
)
ASSUMED_CAMERA = "no calib folder: KITTI's usual camera is assumed (fx 721.5 px, height 1.65 m)"
# 0 fully visible, 1 partly, 2 largely occluded, 3 unknown, -1 DontCare. The shares are ours: KITTI names no numbers.
OCCLUSION = {0: 0.0, 1: 0.3, 2: 0.6, 3: NAN, -1: NAN}
LEVEL_ENDS = (0.15, 0.45)  # upper ends of levels 0 and 1, half way between their shares and the next
UNKNOWN_LEVEL = 3
DONT_CARE = "DontCare"


class KittiReader:
    """`folder` holds training/{image_2,label_2} or {image_2,label_2}, and calib beside them where there is one.

    DontCare becomes an ignore region of every category, occluded 0-3 becomes 0, 0.3, 0.6 and unknown. Locations are
    moved from camera 0 to camera 2 (6 cm to the side), as P2 says, so that the plain pinhole of `Camera` projects
    them. A `camera` given by the caller holds for all frames, and locations are then taken as they are.

    Without calib the usual P2 is assumed and noted. It is kept for images that are not the usual 1242x375: a crop at
    the right and bottom leaves cx and cy as they are, and where a crop began is not recorded in the data. If it began
    elsewhere, cx and cy are off by that many pixels.
    """

    names = ()

    def __init__(self, folder: Path, camera: Camera | None = None):
        root = folder / "training" if (folder / "training").is_dir() else folder
        self._images, self._labels, self._calib = root / "image_2", root / "label_2", root / "calib"
        for needed in (self._images, self._labels):
            if not needed.is_dir():
                raise InputError(
                    needed, "folder is missing", "give the folder that holds training/image_2 and training/label_2"
                )
        self._camera = camera
        assumed = camera is None and not self._calib.is_dir()
        self.notes = [ASSUMED_CAMERA] if assumed else []

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        image_of = {path.stem: path for path in self._images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}
        labelled = {path.stem for path in self._labels.glob("*.txt")}
        for name in sorted(labelled | image_of.keys()):
            yield partial(self._read, name, image_of.get(name, self._images / f"{name}.png"))

    def _read(self, name: str, image: Path) -> LabelledImage:
        labels = self._labels / f"{name}.txt"
        if not labels.is_file():
            raise InputError(image, f"its label file {labels} is missing", "add it (empty if need be), or --skip-bad")
        camera, shift_m = self._camera, np.zeros(3)
        if camera is None:
            camera, shift_m = camera_of(projection(self._calib / f"{name}.txt") if self._calib.is_dir() else USUAL_P2)
        lines = enumerate(read_text(labels).splitlines(), start=1)
        return LabelledImage(
            where=str(labels),
            frame_id=name,
            image_path=str(image),
            image_name=f"image_2/{image.name}",
            labels=[label_of(f"{labels}:{number}", line, shift_m) for number, line in lines if line.strip()],
            camera=camera,
        )


def label_of(where: str, line: str, shift_m: np.ndarray) -> Label:
    """One line of 15 fields: type truncated occluded alpha left top right bottom h w l x y z rotation_y.

    shift_m: (3,) added to the location. Raises InputError on another count of fields, or on what is no number.
    """
    remedy = "mend the line, or leave the frame out with --skip-bad"
    name, *fields = line.split()
    if len(fields) + 1 != FIELDS:
        raise InputError(where, f"{len(fields) + 1} fields, {FIELDS} expected", remedy)
    try:
        truncated, occluded, _alpha, x1, y1, x2, y2, h, w, length, x, y, z, yaw = map(float, fields)
    except ValueError:
        raise InputError(where, f"not all fields after the type are numbers: {line.strip()!r}", remedy) from None
    if occluded not in OCCLUSION or not (0 <= truncated <= 1 or truncated == -1):
        raise InputError(
            where, f"occluded {occluded:g} is not one of 0-3, or truncated {truncated:g} not in 0-1", remedy
        )
    return Label(
        where=where,
        name=None if name == DONT_CARE else name,
        box_xyxy_px=(x1, y1, x2, y2),
        occlusion=OCCLUSION[int(occluded)],
        truncation=NAN if truncated == -1 else truncated,
        dimensions_hwl_m=UNKNOWN_3D if min(h, w, length) <= 0 else (h, w, length),
        location_xyz_m=UNKNOWN_3D if x == -1000 else (x + shift_m[0], y + shift_m[1], z + shift_m[2]),
        yaw_rad=NAN if yaw == -10 else yaw,
    )


def occlusion_levels(share: np.ndarray) -> np.ndarray:
    """KITTI's levels 0 to 2 of hidden shares, 3 where unknown: (N,) float -> (N,) int. Undoes OCCLUSION exactly."""
    levels = np.searchsorted(LEVEL_ENDS, np.nan_to_num(share), side="right")
    return np.where(np.isnan(share), UNKNOWN_LEVEL, levels)


def projection(calib: Path) -> np.ndarray:
    """(3, 4) P2 of a calib file. Raises InputError where it is missing or malformed."""
    for number, line in enumerate(read_text(calib).splitlines(), start=1):
        key, _, values = line.partition(":")
        if key.strip() == "P2":
            try:
                return np.array(values.split(), np.float64).reshape(3, 4)
            except ValueError:
                raise InputError(f"{calib}:{number}", "P2 is not 12 numbers", "mend the file, or --skip-bad") from None
    raise InputError(calib, "has no line P2", "mend the file, or leave the frame out with --skip-bad")


def camera_of(p2: np.ndarray) -> tuple[Camera, np.ndarray]:
    """The pinhole of P2 = K [I | t], and t (3,) in metres, which leads from camera 0's frame to this camera's."""
    t = np.linalg.solve(p2[:, :3], p2[:, 3])
    return Camera(p2[0, 0], p2[1, 1], p2[0, 2], p2[1, 2], height_m=CAMERA_HEIGHT_M), t
