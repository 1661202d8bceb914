"""What a user chooses about the refiner and its gate. Each method's own settings lie beside the method, as presets that
differ. Light to import: nothing of torch.
"""

from itertools import pairwise
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dataset.errors import InputError

RefinerKind = Literal["lab", "histogram", "fda", "simgan", "shen", "pix2pix", "cut"]
Preset = Literal["small", "paper"]
PRESETS: tuple[Preset, ...] = get_args(Preset)


class RefinerConfig(BaseModel):
    """Which refiner, and how much work its fitting is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none", RefinerKind] = Field(
        default="none",
        description="none: renders are used as they are. lab, histogram, fda: colours and spectrum, nothing to train. "
        "simgan, shen: adversarial, pixel by pixel. pix2pix: from the label map. cut: unpaired translation.",
    )
    preset: Preset = Field(
        default="small", description="small: minutes on a CPU. paper: as published, for a GPU and hours."
    )
    steps: int | None = Field(default=None, ge=1, description="Training steps; by default those of the preset.")
    settings: dict[str, Any] = Field(
        default={}, description="Changes of the preset, by the names of the method's own settings."
    )


class GateConfig(BaseModel):
    """From what on an image fails. The detector is asked only about objects that it finds in the source image.

    Measured on 14 embedded renders: training-free refiners left the worst object's edges at 0.83 or more and its change
    within twice the background's and 0.05; one object painted over changed by 0.08 or more beyond that, and its edges
    agreed by 0.72 at the median. Changes are thus the sharper witness; the limit for edges leaves room for networks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_score: float = Field(default=0.3, ge=0, le=1, description="Weaker detections do not count.")
    min_iou: float = Field(default=0.5, gt=0, le=1, description="Overlap from which on an object is found.")
    max_lost: float = Field(
        default=0.25, ge=0, le=1, description="Largest share of the objects found in the source that may be lost."
    )
    max_iou_drop: float = Field(
        default=0.1, ge=0, le=1, description="Largest fall of the mean overlap of the objects found both times."
    )
    max_new_detections: int = Field(
        default=2, ge=0, description="Largest number of additional detections where nothing is labelled."
    )
    min_edge_f1: float = Field(default=0.6, ge=0, le=1, description="Smallest agreement of the image's edges.")
    min_object_edge_f1: float = Field(
        default=0.6, ge=0, le=1, description="The same in and around the box of the object that agrees least."
    )
    max_change_ratio: float = Field(
        default=2.0, ge=1, description="How many times as much as the background an object may change."
    )
    change_slack: float = Field(
        default=0.05, ge=0, le=1, description="Change of luma in a box that is allowed on top, 0-1."
    )
    blends: tuple[float, ...] = Field(
        default=(0.75, 0.5, 0.25),
        description="Shares of the refined image to try when it fails, falling; none: it is dropped at once.",
    )

    @field_validator("blends")
    @classmethod
    def _shares_fall(cls, blends: tuple[float, ...]) -> tuple[float, ...]:
        falling = all(a > b for a, b in pairwise(blends))
        if not falling or not all(0 < share < 1 for share in blends):
            raise InputError("gate.blends", f"{list(blends)}", "give falling shares between 0 and 1")
        return blends


class MethodConfig(BaseModel):
    """Base of each method's own settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def preset(cls, name: Preset) -> "MethodConfig":
        """The settings of a preset; here the defaults, for methods whose presets do not differ."""
        return cls()
