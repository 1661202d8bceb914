"""The 31 KITTI frames of the shared data as records, for tests of geometry; independent of the readers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dataset.schema import Camera, Frame, Objects
from evaluation.failure import Failure

KITTI = Path(__file__).parents[2] / "shared" / "data" / "kitti31" / "training"
CATEGORIES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
CAMERA = Camera(721.5377, 721.5377, 609.5593, 172.854, 1.65, 0.0)
# Frames whose labels were made with another camera than that (their 3D boxes do not project onto their 2D boxes).
OTHER_CAMERA = ("000006", "000024")
OCCLUSION = {"0": 0.0, "1": 0.3, "2": 0.7, "3": np.nan, "-1": np.nan}
COLOUR_CAMERA_X_M = 0.0597  # labels are given in the frame of the left grey camera; the picture is the colour camera's

needs_kitti = pytest.mark.skipif(not KITTI.exists(), reason="shared/data/kitti31 is not here")


def kitti_frames() -> Iterator[tuple[Frame, Objects]]:
    for path in sorted((KITTI / "label_2").glob("*.txt")):
        rows = [line.split() for line in path.read_text().splitlines()]
        care = np.array([row[0] != "DontCare" for row in rows])
        numbers = np.array([[float(v) for v in row[4:15]] for row in rows])
        box = numbers[:, :4].clip(0, [1224, 370, 1224, 370])
        solid = np.where(care[:, None], numbers[:, 4:], np.nan)
        objects = Objects.of(
            [CATEGORIES.index(row[0]) if row[0] in CATEGORIES else -1 for row in rows],
            box,
            occlusion=[OCCLUSION[row[2]] for row in rows],
            truncation=[float(row[1]) for row in rows],
            ignore=~care,
            dimensions_hwl_m=solid[:, :3],
            location_xyz_m=solid[:, 3:6] + [COLOUR_CAMERA_X_M, 0, 0],
            yaw_rad=solid[:, 6],
        )
        yield Frame(path.stem, f"{path.stem}.png", 1224, 370, path.stem, camera=CAMERA), objects


def missed(frame: Frame, objects: Objects) -> list[Failure]:
    """Every object of a frame that can be shown, as a failure."""
    return [
        Failure(
            f"{frame.frame_id}-{i}",
            frame.frame_id,
            "missed",
            CATEGORIES[objects.category[i]],
            tuple(objects.box_xyxy_px[i].tolist()),
            object_index=i,
        )
        for i in range(len(objects))
        if not objects.ignore[i] and CATEGORIES[objects.category[i]] != "Misc"
    ]
