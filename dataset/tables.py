"""The two Parquet tables of a store, and the turn from records to columns and back.

`frames` holds one row a frame; `objects` one row an object, with the row number of its frame, in the frames' order.
Row group g of `objects` holds exactly the objects of row group g of `frames`, so both stream in step.
Unknown floats are NaN, unknown texts and cycles null; a frame without a camera has NaN intrinsics.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dataset.schema import Camera, Frame, Objects

CAMERA_FIELDS = ("fx_px", "fy_px", "cx_px", "cy_px", "height_m", "pitch_deg")
OPTIONAL_FIELDS = ("time_of_day", "weather", "scene_id", "failure_id", "cycle")

FRAMES = pa.schema(
    [
        pa.field("frame_id", pa.string(), nullable=False),
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("width_px", pa.int32(), nullable=False),
        pa.field("height_px", pa.int32(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in CAMERA_FIELDS),
        pa.field("time_of_day", pa.string()),
        pa.field("weather", pa.string()),
        pa.field("scene_id", pa.string()),
        pa.field("failure_id", pa.string()),
        pa.field("cycle", pa.int32()),
    ]
)

BOX_COLUMNS = ("x1_px", "y1_px", "x2_px", "y2_px")
DIMENSION_COLUMNS = ("object_height_m", "object_width_m", "object_length_m")
LOCATION_COLUMNS = ("x_m", "y_m", "z_m")

OBJECTS = pa.schema(
    [
        pa.field("frame_row", pa.int64(), nullable=False),
        pa.field("category", pa.int16(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in BOX_COLUMNS),
        pa.field("occlusion", pa.float32(), nullable=False),
        pa.field("truncation", pa.float32(), nullable=False),
        pa.field("ignore", pa.bool_(), nullable=False),
        *(pa.field(name, pa.float32(), nullable=False) for name in DIMENSION_COLUMNS + LOCATION_COLUMNS),
        pa.field("yaw_rad", pa.float32(), nullable=False),
    ]
)

# One object as bytes, for the digest and for access by row; the field names are those of Objects.
OBJECT_ROW = np.dtype(
    [
        ("box_xyxy_px", "<f8", 4),
        ("occlusion", "<f4"),
        ("truncation", "<f4"),
        ("dimensions_hwl_m", "<f4", 3),
        ("location_xyz_m", "<f4", 3),
        ("yaw_rad", "<f4"),
        ("category", "<i2"),
        ("ignore", "?"),
    ],
    align=True,
)


def frame_record(frame: Frame) -> dict[str, Any]:
    """A frame as one flat row of the table `frames`, in the table's types, so that equal frames have equal bytes."""
    camera = frame.camera
    return {
        "frame_id": frame.frame_id,
        "image_path": frame.image_path,
        "width_px": int(frame.width_px),
        "height_px": int(frame.height_px),
        "group": frame.group,
        "source": frame.source,
        **{name: np.nan if camera is None else float(getattr(camera, name)) for name in CAMERA_FIELDS},
        **{name: getattr(frame, name) for name in OPTIONAL_FIELDS},
        "cycle": None if frame.cycle is None else int(frame.cycle),
    }


def frame_from_record(row: dict[str, Any], image_path: str) -> Frame:
    """The frame of one flat row, its image at `image_path`."""
    camera = None if row["fx_px"] != row["fx_px"] else Camera(*(row[name] for name in CAMERA_FIELDS))
    return Frame(
        frame_id=row["frame_id"],
        image_path=image_path,
        width_px=row["width_px"],
        height_px=row["height_px"],
        group=row["group"],
        source=row["source"],
        camera=camera,
        **{name: row[name] for name in OPTIONAL_FIELDS},
    )


def frames_table(records: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.table({name: [record[name] for record in records] for name in FRAMES.names}, schema=FRAMES)


def frames_from_table(table: pa.Table, image_path_of: Callable[[str], str]) -> list[Frame]:
    return [frame_from_record(row, image_path_of(row["image_path"])) for row in table.to_pylist()]


def joined(parts: Sequence[Objects]) -> Objects:
    """The objects of several frames one after the other."""
    if not parts:
        return Objects.none()
    return Objects(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def objects_table(objects: Objects, frame_row: np.ndarray) -> pa.Table:
    """Objects of several frames as columns; frame_row: (N,) int64, the row of each object's frame."""
    columns = {"frame_row": frame_row, "category": objects.category, "ignore": objects.ignore}
    columns |= {name: getattr(objects, name) for name in ("occlusion", "truncation", "yaw_rad")}
    columns |= dict(zip(BOX_COLUMNS, objects.box_xyxy_px.T, strict=True))
    columns |= dict(zip(DIMENSION_COLUMNS, objects.dimensions_hwl_m.T, strict=True))
    columns |= dict(zip(LOCATION_COLUMNS, objects.location_xyz_m.T, strict=True))
    arrays = [pa.array(np.ascontiguousarray(columns[f.name]), f.type, from_pandas=False) for f in OBJECTS]
    return pa.Table.from_arrays(arrays, schema=OBJECTS)


def objects_from_table(table: pa.Table) -> tuple[Objects, np.ndarray]:
    """-> objects of all the table's frames, and (N,) int64 frame_row."""

    def column(name: str) -> np.ndarray:
        return np.array(table.column(name).to_numpy())  # Arrow's own memory is read-only

    def stack(names: Sequence[str]) -> np.ndarray:
        return np.stack([column(name) for name in names], axis=1)

    objects = Objects(
        category=column("category"),
        box_xyxy_px=stack(BOX_COLUMNS),
        occlusion=column("occlusion"),
        truncation=column("truncation"),
        ignore=column("ignore"),
        dimensions_hwl_m=stack(DIMENSION_COLUMNS),
        location_xyz_m=stack(LOCATION_COLUMNS),
        yaw_rad=column("yaw_rad"),
    )
    return objects, column("frame_row")


def object_rows(objects: Objects) -> np.ndarray:
    """(N,) of OBJECT_ROW, padding bytes zero, so that equal objects have equal bytes."""
    rows = np.zeros(len(objects), OBJECT_ROW)
    for name in OBJECT_ROW.names or ():
        rows[name] = getattr(objects, name)
    return rows


def objects_from_rows(rows: np.ndarray) -> Objects:
    """Objects with arrays of their own (contiguous, writable) from (N,) of OBJECT_ROW."""
    return Objects(**{name: np.array(rows[name], order="C") for name in OBJECT_ROW.names or ()})
