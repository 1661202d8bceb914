"""Detections as COCO results JSON, streamed, with the list of images that its numbers refer to."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from dataset.schema import Detections

PIXEL_DIGITS, SCORE_DIGITS = 3, 6


class CocoResultsWriter:
    """`with CocoResultsWriter(results, images, categories) as writer: writer.add(entry, detections)`.

    results: [{"image_id", "category_id", "bbox": [x, y, w, h], "score"}, ...], as COCO's evaluation reads them.
    images: {"images": [...], "categories": [...], "annotations": []}, the file to load before them.
    Images and categories count from 1. Both files are written aside and renamed when the block ends without an error;
    nothing is kept in memory.
    """

    def __init__(self, results: Path, images: Path, categories: Sequence[str]):
        self._files = {"results": results, "images": images}
        self._categories = categories
        self._images = self._results = 0

    def __enter__(self) -> "CocoResultsWriter":
        with ExitStack() as stack:
            self._out: dict[str, TextIO] = {}
            for name, file in self._files.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                self._out[name] = stack.enter_context(_partial(file).open("w", encoding="utf-8"))
            self._stack = stack.pop_all()
        categories = [{"id": i + 1, "name": name} for i, name in enumerate(self._categories)]
        self._out["results"].write("[")
        self._out["images"].write(f'{{"categories": {json.dumps(categories)}, "annotations": [], "images": [')
        return self

    def add(self, file_name: str, width_px: int, height_px: int, found: Detections, **more: Any) -> None:
        """more: further fields of the image's entry."""
        image_id = self._images + 1
        entry = {"id": image_id, "file_name": file_name, "width": width_px, "height": height_px} | more
        self._out["images"].write((",\n" if self._images else "\n") + json.dumps(entry))
        self._images += 1
        for category, box, score in zip(found.category.tolist(), found.box_xyxy_px, found.score.tolist(), strict=True):
            x1, y1, x2, y2 = box.tolist()
            bbox = [round(value, PIXEL_DIGITS) for value in (x1, y1, x2 - x1, y2 - y1)]
            result = {"image_id": image_id, "category_id": category + 1, "bbox": bbox}
            result["score"] = round(score, SCORE_DIGITS)
            self._out["results"].write((",\n" if self._results else "\n") + json.dumps(result, allow_nan=False))
            self._results += 1

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._out["results"].write("]\n")
            self._out["images"].write("]}\n")
            self._stack.close()
            if error is None:
                for file in self._files.values():
                    _partial(file).replace(file)
        finally:
            for file in self._files.values():
                _partial(file).unlink(missing_ok=True)


def _partial(file: Path) -> Path:
    return file.with_name(f"{file.name}.partial")
