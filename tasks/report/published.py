"""The plots that were published of a cycle, as the page shows them."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.layout import Cycle

# file -> title, meaning; in the page's order
SHOWN = {
    "learning_curves.png": ("Learning curves", "Each term of the loss against the step."),
    "precision_recall.png": (
        "Precision and recall",
        "Of all categories together, and of each. The curve ends at the weakest detection.",
    ),
    "confusion.png": (
        "Confusion",
        "Detections are believed from the score with the best F1 of their category. Colour: share of the row.",
    ),
    "calibration.png": (
        "Calibration",
        "Below the dashed line a detector claims too much. Larger marks: more detections; ECE: the mean gap.",
    ),
    "worst_images.jpg": (
        "Worst images",
        "Those whose failures, mended one by one, add most to mAP. Cyan: labels; orange: detections; thick: wrong.",
    ),
}


@dataclass(frozen=True)
class Plot:
    title: str
    meaning: str
    file: Path

    @property
    def address(self) -> str:
        """The picture inside an address, for an <img> that needs no other file."""
        kind = {".png": "png", ".jpg": "jpeg"}[self.file.suffix]
        return f"data:image/{kind};base64,{base64.b64encode(self.file.read_bytes()).decode()}"


def plots_folder(cycle: Cycle) -> Path:
    return cycle.folder / "published" / "plots"


def plots_of(cycle: Cycle) -> Iterator[Plot]:
    """Those that are there; each is read when its address is asked for."""
    for name, (title, meaning) in SHOWN.items():
        if (plots_folder(cycle) / name).is_file():
            yield Plot(title, meaning, plots_folder(cycle) / name)
