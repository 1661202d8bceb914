"""What a reader of one format hands over: the labels as the file has them, not yet mapped, clipped or checked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dataset.schema import Camera

NAN = float("nan")
UNKNOWN_3D = (NAN, NAN, NAN)


@dataclass(frozen=True)
class Label:
    """One labelled object; `name` is the file's category, None for an ignore region of every category."""

    where: str  # file:line, or what else finds it again
    name: str | None
    box_xyxy_px: tuple[float, float, float, float]  # may run past the image
    occlusion: float = NAN
    truncation: float = NAN
    ignore: bool = False
    dimensions_hwl_m: tuple[float, float, float] = UNKNOWN_3D
    location_xyz_m: tuple[float, float, float] = UNKNOWN_3D
    yaw_rad: float = NAN


@dataclass(frozen=True)
class LabelledImage:
    """One image with its labels. `image_name` is the path inside the data set, to which group_regex is applied."""

    where: str
    frame_id: str
    image_path: str
    image_name: str
    labels: Sequence[Label] = field(default_factory=tuple)
    declared_size_px: tuple[int, int] | None = None  # (width, height) that the label file states
    camera: Camera | None = None
    group: str | None = None
    time_of_day: str | None = None
    weather: str | None = None
    boxes_are_shares: bool = False  # boxes are given in shares of the image's width and height, not in pixels


class Reader(Protocol):
    """A data set in a public format, its folders already found to be there."""

    @property
    def names(self) -> Sequence[str]:
        """Categories that the file declares, in its order; empty where the format declares none."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Assumptions made in reading."""
        ...

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        """One call an image, in a fixed order; the call reads its labels, and raises InputError on bad ones."""
        ...
