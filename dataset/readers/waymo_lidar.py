"""From Waymo's lidar boxes, in the car's frame, to size, place and heading of the objects that a camera sees.

The car's frame is x forward, y left, z up, its origin on the road; a camera's frame is x forward, y left, z up too
(waymo_open_dataset/dataset.proto, CameraCalibration). Ours is x right, y down, z forward.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dataset.readers.waymo_tables import CAMERA, TIME, Rows
from dataset.schema import Camera

OURS_FROM_WAYMO = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
SAME_OBJECT_IOU = 0.5
OBJECT, LASER_OBJECT = "key.camera_object_id", "key.laser_object_id"
LIDAR, PROJECTED = "[LiDARBoxComponent].", "[ProjectedLiDARBoxComponent]."
CALIBRATION = "[CameraCalibrationComponent]."
INTRINSIC, EXTRINSIC = f"{CALIBRATION}intrinsic.", f"{CALIBRATION}extrinsic.transform"
CALIBRATION_COLUMNS = (CAMERA, EXTRINSIC, *(INTRINSIC + name for name in ("f_u", "f_v", "c_u", "c_v")))
LIDAR_COLUMNS = (TIME, LASER_OBJECT, f"{LIDAR}box.heading") + tuple(
    f"{LIDAR}box.{part}.{axis}" for part in ("center", "size") for axis in "xyz"
)
ASSOCIATION_COLUMNS = (TIME, CAMERA, OBJECT, LASER_OBJECT)
PROJECTED_COLUMNS = (TIME, CAMERA, LASER_OBJECT, f"{PROJECTED}type") + tuple(
    f"{PROJECTED}box.{name}" for name in ("center.x", "center.y", "size.x", "size.y")
)


@dataclass(frozen=True)
class Calibration:
    """A camera of a segment."""

    camera: Camera
    ours_from_car: np.ndarray  # (3, 4): rotation, translation in metres

    @staticmethod
    def of_cameras(table: pa.Table | None) -> dict[int, "Calibration"]:
        """Camera's number -> its calibration; none without the component."""
        found = {}
        for row in table.to_pylist() if table is not None else ():
            car_from_camera = np.array(row[EXTRINSIC], np.float64).reshape(4, 4)
            forward_up = float(np.clip(car_from_camera[2, 0], -1, 1))
            camera = Camera(
                *(float(row[INTRINSIC + name]) for name in ("f_u", "f_v", "c_u", "c_v")),
                height_m=float(car_from_camera[2, 3]),
                pitch_deg=-math.degrees(math.asin(forward_up)),
            )
            found[row[CAMERA]] = Calibration(camera, OURS_FROM_WAYMO @ np.linalg.inv(car_from_camera)[:3])
        return found

    def solid(self, center_m: np.ndarray, size_lwh_m: np.ndarray, heading_rad: float) -> dict[str, Any]:
        """Size, bottom centre and yaw as a Label takes them. (3,), (3,) and radians about the car's up axis."""
        length, width, height = size_lwh_m.tolist()
        bottom = np.append(center_m - [0, 0, height / 2], 1.0)
        heading = self.ours_from_car[:, :3] @ [math.cos(heading_rad), math.sin(heading_rad), 0.0]
        return {
            "dimensions_hwl_m": (height, width, length),
            "location_xyz_m": tuple((self.ours_from_car @ bottom).tolist()),
            "yaw_rad": math.atan2(-heading[2], heading[0]),
        }


class LidarBoxes:
    """A segment's lidar boxes, and how they are told to belong to a camera's boxes; any table may be absent."""

    def __init__(self, lidar: pa.Table | None, association: pa.Table | None, projected: pa.Table | None):
        self._lidar = None if lidar is None else Rows(lidar, TIME, LASER_OBJECT)
        self._association = None if association is None else Rows(association, TIME, CAMERA)
        self._projected = None if projected is None else Rows(projected, TIME, CAMERA)

    def solids(
        self, time: int, camera: int, ids: list[str], kinds: np.ndarray, boxes: np.ndarray, calibration
    ) -> dict[int, dict[str, Any]]:
        """Index of a camera box -> its 3D fields, for those of N that have a lidar box. kinds (N,), boxes (N, 4) px."""
        if self._lidar is None or calibration is None:
            return {}
        given = {} if self._association is None else self._association.of(time, camera)
        named = dict(zip(given.get(OBJECT, ()), given.get(LASER_OBJECT, ()), strict=True))
        partner = {i: named[object_id] for i, object_id in enumerate(ids) if object_id in named}
        if self._projected is not None:
            partner |= matched(self._projected.of(time, camera), kinds, boxes, taken=partner)
        solids = {}
        for i, laser_object in partner.items():
            row = self._lidar.of(time, laser_object)
            if len(row[TIME]):
                center, size = (
                    np.array([row[f"{LIDAR}box.{part}.{axis}"][0] for axis in "xyz"]) for part in ("center", "size")
                )
                solids[i] = calibration.solid(center, size, float(row[f"{LIDAR}box.heading"][0]))
        return solids


def matched(
    projected: dict[str, np.ndarray], kinds: np.ndarray, boxes: np.ndarray, taken: dict[int, str]
) -> dict[int, str]:
    """Camera boxes that no association names, each with the lidar object of its type whose projected box overlaps it
    most, by an IoU of at least 0.5; the best pairs first, and each object once."""
    part = f"{PROJECTED}box."
    x, y, width, height = (projected[part + name] for name in ("center.x", "center.y", "size.x", "size.y"))
    others = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    area, other_area = (np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (boxes, others))
    iou = common / np.maximum(area[:, None] + other_area - common, 1e-9)
    iou[kinds[:, None] != projected[f"{PROJECTED}type"]] = 0
    found: dict[int, str] = {}
    names, used = projected[LASER_OBJECT].tolist(), set(taken.values())
    for flat in np.argsort(-iou, axis=None, kind="stable").tolist():
        i, j = np.unravel_index(flat, iou.shape)
        if iou[i, j] < SAME_OBJECT_IOU:
            break
        if int(i) not in taken and int(i) not in found and names[j] not in used:
            found[int(i)] = names[j]
            used.add(names[j])
    return found
