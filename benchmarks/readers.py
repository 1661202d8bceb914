"""The readers at size: peak memory and frames a second of importing many frames in each public format.

    python -m benchmarks.readers [--frames 20000] [--formats yolo,bdd,...]

Every set is made up in the format's own layout, with three objects a frame and one tiny picture that all image files
are links to (Waymo's lie inside its Parquet files, and are written out). Each import, from the label files to a
finished store, runs in a process of its own; memory is measured again with a tenth of the frames, and what the growth
is per frame tells whether anything is held. The last line is a JSON list of {"name", "ours", "peer", "unit", "ratio"}.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.store import figure, measured
from dataset.readers import open_source

SIZE_PX = (96, 64)
BOXES_XYXY_PX = ((1, 2, 30, 40), (20, 10, 60, 50), (40, 5, 90, 60))
FRAMES_A_FOLDER = 1000  # clips, cities, segments


class Pictures:
    """Image files that are links to one tiny JPEG."""

    def __init__(self, folder: Path):
        content = io.BytesIO()
        Image.new("RGB", SIZE_PX).save(content, "jpeg")
        self.jpeg = content.getvalue()
        self._file = folder / "picture.jpg"
        folder.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(self.jpeg)

    def place(self, path: Path) -> None:
        path.symlink_to(self._file)


def make_yolo(folder: Path, frames: int) -> str:
    pictures = Pictures(folder)
    width, height = SIZE_PX
    lines = [
        f"{i} {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} {(y2 - y1) / height}\n"
        for i, (x1, y1, x2, y2) in enumerate(BOXES_XYXY_PX)
    ]
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for i in range(frames):
        pictures.place(folder / "images" / f"{i:07d}.jpg")
        (folder / "labels" / f"{i:07d}.txt").write_text("".join(lines))
    (folder / "data.yaml").write_text("train: images\nnames: [car, person, cyclist]\n")
    return f"yolo:{folder}"


def make_bdd(folder: Path, frames: int) -> str:
    pictures = Pictures(folder)
    labels = [
        {"id": str(i), "category": "car", "attributes": {"occluded": False, "truncated": False},
         "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
        for i, box in enumerate(BOXES_XYXY_PX)
    ]  # fmt: skip
    attributes = {"weather": "clear", "scene": "highway", "timeofday": "daytime"}
    (folder / "images").mkdir()
    with (folder / "det_train.json").open("w") as out:
        for i in range(frames):
            name = f"{i // FRAMES_A_FOLDER:08x}-{i:08x}.jpg"
            pictures.place(folder / "images" / name)
            entry = {"name": name, "attributes": attributes, "labels": labels}
            out.write(("," if i else "[") + json.dumps(entry))
        out.write("]")
    return f"bdd:{folder / 'det_train.json'}?images={folder / 'images'}"


def make_cityscapes(folder: Path, frames: int) -> str:
    pictures = Pictures(folder)
    objects = [
        {"label": "car", "polygon": [[x1, y1], [x2 - 1, y1], [x2 - 1, y2 - 1], [x1, y2 - 1]]}
        for x1, y1, x2, y2 in BOXES_XYXY_PX
    ]
    content = json.dumps({"imgWidth": SIZE_PX[0], "imgHeight": SIZE_PX[1], "objects": objects})
    for i in range(frames):
        city = f"city{i // FRAMES_A_FOLDER}"
        images, labels = folder / "leftImg8bit" / "train" / city, folder / "gtFine" / "train" / city
        if not i % FRAMES_A_FOLDER:
            images.mkdir(parents=True)
            labels.mkdir(parents=True)
        name = f"{city}_{i:06d}_000019"
        pictures.place(images / f"{name}_leftImg8bit.png")
        (labels / f"{name}_gtFine_polygons.json").write_text(content)
    return f"cityscapes:{folder}"


def make_nuimages(folder: Path, frames: int) -> str:
    pictures = Pictures(folder)
    tables = folder / "v1.0-train"
    tables.mkdir()
    (folder / "samples" / "CAM_FRONT").mkdir(parents=True)
    drives = -(-frames // FRAMES_A_FOLDER)
    camera = {"translation": [1.7, 0, 1.5], "rotation": [0.5, -0.5, 0.5, -0.5]}
    camera |= {"token": "cs", "camera_intrinsic": [[100, 0, 48], [0, 100, 32], [0, 0, 1]]}

    def write(table: str, entries) -> None:
        with (tables / f"{table}.json").open("w") as out:
            for i, entry in enumerate(entries):
                out.write(("," if i else "[") + json.dumps(entry))
            out.write("]")

    write("category", [{"token": "c", "name": "vehicle.car"}])
    write("calibrated_sensor", [camera])
    write("log", ({"token": f"l{i}", "logfile": f"n{i}"} for i in range(drives)))
    write("sample", ({"token": f"{i:032x}", "log_token": f"l{i // FRAMES_A_FOLDER}"} for i in range(frames)))
    frame = {"calibrated_sensor_token": "cs", "width": SIZE_PX[0], "height": SIZE_PX[1], "is_key_frame": True}
    names = [f"samples/CAM_FRONT/{i:07d}.jpg" for i in range(frames)]
    for name in names:
        pictures.place(folder / name)
    write(
        "sample_data",
        (frame | {"token": f"d{i}", "sample_token": f"{i:032x}", "filename": name} for i, name in enumerate(names)),
    )
    mask = {"size": [900, 1600], "counts": "x" * 200}
    write(
        "object_ann",
        (
            {"token": f"o{i}", "sample_data_token": f"d{i}", "category_token": "c", "bbox": box, "mask": mask}
            for box in BOXES_XYXY_PX  # a frame's objects lie far apart
            for i in range(frames)
        ),
    )
    return f"nuimages:{folder}"


def make_waymo(folder: Path, frames: int) -> str:
    pictures = Pictures(folder)
    part = "[CameraBoxComponent]."
    for component in ("camera_image", "camera_box"):
        (folder / component).mkdir()
    for first in range(0, frames, FRAMES_A_FOLDER):
        name = f"segment{first:07d}"
        keys = [
            {"key.segment_context_name": name, "key.frame_timestamp_micros": i, "key.camera_name": 1}
            for i in range(first, min(first + FRAMES_A_FOLDER, frames))
        ]
        boxes = [
            key | {
                "key.camera_object_id": f"o{i}", f"{part}type": 1,
                f"{part}box.center.x": (x1 + x2) / 2, f"{part}box.center.y": (y1 + y2) / 2,
                f"{part}box.size.x": float(x2 - x1), f"{part}box.size.y": float(y2 - y1),
            }
            for key in keys for i, (x1, y1, x2, y2) in enumerate(BOXES_XYXY_PX)
        ]  # fmt: skip
        images = [key | {"[CameraImageComponent].image": pictures.jpeg} for key in keys]
        for component, rows in (("camera_image", images), ("camera_box", boxes)):
            pq.write_table(pa.Table.from_pylist(rows), folder / component / f"{name}.parquet")
    return f"waymo:{folder}"


MAKERS: dict[str, Callable[[Path, int], str]] = {
    "yolo": make_yolo,
    "bdd": make_bdd,
    "cityscapes": make_cityscapes,
    "nuimages": make_nuimages,
    "waymo": make_waymo,
}


def make(name: str, scratch: Path, frames: int) -> None:
    (scratch / "spec.txt").write_text(MAKERS[name](scratch / "set", frames))


def import_all(folder: Path, frames: int) -> dict[str, float]:
    spec = (folder / "spec.txt").read_text()
    start = time.perf_counter()
    ds, _ = open_source(spec, folder / "store")
    if len(ds) != frames or sum(ds.counts().values()) != frames * len(BOXES_XYXY_PX):
        raise RuntimeError(f"{ds} read, {frames} frames of {len(BOXES_XYXY_PX)} objects made")
    return {"rate": frames / (time.perf_counter() - start)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--formats", default=",".join(MAKERS))
    arguments = parser.parse_args()
    many, few = arguments.frames, arguments.frames // 10
    figures = []
    for name in arguments.formats.split(","):
        found = []
        for frames in (few, many):
            with tempfile.TemporaryDirectory() as scratch:
                # made in another process, as the peak of a new process begins with the memory of the one that starts it
                maker = get_context("spawn").Process(target=make, args=(name, Path(scratch), frames))
                maker.start()
                maker.join()
                print(f"{name}: ", end="", flush=True)
                found.append(measured(import_all, Path(scratch), frames))
        small, large = found
        figures.append(figure(f"{name}, peak memory (peer: {few} frames)", large["peak_mib"], small["peak_mib"], "MiB"))
        figures.append(figure(f"{name}, import (peer: {few} frames)", large["rate"], small["rate"], "frames/s"))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
