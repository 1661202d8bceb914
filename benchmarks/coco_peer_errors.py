"""The peers that also tell errors by kind: hotcoco with its own TIDE, and tidecv. For timings."""

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import hotcoco
import numpy as np
import tidecv


class Hotcoco:
    """hotcoco's index of ground truth and results, which it builds from JSON files."""

    def __init__(self, truth: dict[str, Any], results: list[dict[str, Any]]):
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / "truth.json", Path(folder) / "results.json"]
            for file, content in zip(files, (truth, results), strict=True):
                file.write_text(json.dumps(content))
            self._truth = hotcoco.COCO(str(files[0]))
            self._results = self._truth.load_res(str(files[1]))

    def evaluate(self) -> tuple[np.ndarray, dict[str, Any]]:
        """COCO's twelve figures, and TIDE's errors: counts and AP by kind."""
        evaluation = hotcoco.COCOeval(self._truth, self._results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.summarize()
        return np.array(evaluation.stats), evaluation.tide_errors()


def tide_errors(truth: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, float]:
    """tidecv's AP by kind, in percent, of ground truth and results as COCO's JSON has them."""
    labelled, found = tidecv.Data("truth"), tidecv.Data("found")
    for category in truth["categories"]:
        labelled.add_class(category["id"], category["name"])
    for image in truth["images"]:
        labelled.add_image(image["id"], str(image["id"]))
    for row in truth["annotations"]:
        add = labelled.add_ignore_region if row["iscrowd"] else labelled.add_ground_truth
        add(row["image_id"], row["category_id"], row["bbox"])
    for row in results:
        found.add_detection(row["image_id"], row["category_id"], row["score"], row["bbox"])
    tide = tidecv.TIDE()
    with contextlib.redirect_stdout(io.StringIO()):
        tide.evaluate(labelled, found, mode=tidecv.TIDE.BOX)
        return tide.get_main_errors()["found"]
