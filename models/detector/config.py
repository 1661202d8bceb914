"""Everything a user may choose about the detector and its training. These records are also forms in Prefect's UI."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dataset.errors import InputError

from .precision import Precision

STRIDE_OF_DEEPEST_MAP = 32
BatchNormKind = Literal["synced", "local", "frozen"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClusterConfig(_Frozen):
    """How the proposals of the cells become objects."""

    min_coverage: float = Field(
        default=0.01, gt=0, lt=1, description="Cells whose coverage lies below this propose nothing."
    )
    iou: float = Field(
        default=0.3, gt=0, lt=1, description="A cell whose box overlaps a stronger cell's by more than this joins it."
    )
    max_cells: int = Field(
        default=1000, ge=1, description="Strongest cells kept an image: bounds the time of an odd image."
    )
    max_objects: int = Field(default=100, ge=1, description="Strongest objects kept an image, as COCO's metrics count.")


class DetectorConfig(_Frozen):
    """The network: its size decides both the cost and the smallest object it can tell apart.

    Finer grids cost little, as the trunk does nearly all the work. `benchmarks/accuracy.py` measures what each choice
    gains.
    """

    architecture: Literal["grid", "faster_rcnn", "retinanet", "fcos"] = Field(
        default="grid",
        description="grid: the paper's; the others are torchvision's, over a feature pyramid, and read only the "
        "backbone, the input's size, min_box_px and clustering.max_objects.",
    )
    backbone: Literal["resnet18", "resnet34", "resnet50"] = Field(
        default="resnet18", description="torchvision's features."
    )
    strides: tuple[Literal[8, 16, 32], ...] = Field(
        default=(8, 16, 32),
        min_length=1,
        description="Of each grid the width of a cell in input pixels, the finest first; every object belongs to one "
        "grid, by its size.",
    )
    cells_across: float = Field(
        default=8.0,
        gt=0,
        description="Objects whose longer side is at least so many cells long belong to the next coarser grid, if any.",
    )
    box_code: Literal["relative", "edges"] = Field(
        default="relative",
        description="What a cell says of its object's box. relative: centre and size, in sizes of the object. edges: "
        "the distances to its four edges, as DetectNet_v2 has it.",
    )
    input_width_px: int = Field(default=640, ge=64, description="Images are resized to this width, a multiple of 32.")
    input_height_px: int = Field(default=192, ge=64, description="Images are resized to this height, a multiple of 32.")
    neck_channels: int = Field(default=128, ge=16, description="Channels of the map that the heads read.")
    coverage_radius: float = Field(
        default=0.4, gt=0, le=1, description="Radius of the covered ellipse, in halves of the box (DetectNet_v2: 0.4)."
    )
    centre_cells: float = Field(
        default=0.0,
        ge=0,
        description="Cells inside the box and at most so many cells from its centre are covered, too: small objects "
        "teach more than one cell (FCOS's centre sampling: 1.5).",
    )
    dead_zone_radius: float = Field(
        default=0.67,
        gt=0,
        le=1.5,
        description="Cells between the ellipse and this radius are neither object nor background.",
    )
    min_box_px: float = Field(
        default=3.0, ge=0, description="Objects whose longer side is shorter than this at the input's size are ignored."
    )
    clustering: ClusterConfig = ClusterConfig()

    @model_validator(mode="after")
    def _grids_fit(self) -> "DetectorConfig":
        for name in ("input_width_px", "input_height_px"):
            size = getattr(self, name)
            if size % STRIDE_OF_DEEPEST_MAP:
                nearest = max(round(size / STRIDE_OF_DEEPEST_MAP), 2) * STRIDE_OF_DEEPEST_MAP
                raise InputError(f"detector.{name}", f"{size} is not a multiple of 32", f"use {nearest}")
        if list(self.strides) != sorted(set(self.strides)):
            raise InputError(
                "detector.strides",
                f"{list(self.strides)} is not in rising order",
                f"use {sorted(set(self.strides))}",
            )
        if self.dead_zone_radius < self.coverage_radius:
            raise InputError(
                "detector.dead_zone_radius",
                f"{self.dead_zone_radius} lies inside the coverage radius {self.coverage_radius}",
                "raise it to at least the coverage radius",
            )
        return self


class LossWeights(_Frozen):
    """Each term is a mean over covered objects, so the weights do not depend on the batch's size.

    Nor on the resolution, but for the plain coverage, which counts every cell of the background as the paper's does.
    """

    coverage: float = Field(default=1.0, ge=0, description="BCE of the coverage.")
    coverage_form: Literal["focal", "plain"] = Field(
        default="focal",
        description="focal: cells that are nearly right weigh little (Lin et al. 2017). plain: the paper's BCE.",
    )
    foreground_share: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="Of the coverage's loss, what covered cells count for against the background's. RetinaNet: 0.25, "
        "DetectNet_v2: 0.05.",
    )
    coverage_target: Literal["covered", "iou"] = Field(
        default="covered",
        description="What a covered cell's coverage should be. covered: 1. iou: its box's overlap with the object's, "
        "so that the score ranks boxes by their quality (Li et al. 2020, Generalized Focal Loss).",
    )
    box: float = Field(default=2.0, ge=0, description="L1 of the box, as detector.box_code writes it.")
    giou: float = Field(
        default=0.0, ge=0, description="1 - generalised IoU of the box (Rezatofighi et al. 2019), beside the L1."
    )
    occlusion: float = Field(default=0.1, ge=0, description="BCE of the hidden share, where the data knows it.")
    category: float = Field(default=0.2, ge=0, description="BCE of the class of covered cells.")


class AugmentConfig(_Frozen):
    """Random changes of a training image. Boxes follow; objects cut by the border are clipped.

    Mild by default, as DetectNet_v2's are: made for short trainings from scratch.
    """

    hflip: float = Field(default=0.5, ge=0, le=1, description="Share of images mirrored.")
    zoom: float = Field(default=0.1, ge=0, lt=1, description="Images are scaled by 1 - zoom ... 1 + zoom.")
    stretch: float = Field(default=0.05, ge=0, lt=1, description="Width against height changes by at most this share.")
    shift: float = Field(default=0.03, ge=0, lt=1, description="Largest shift, as a share of the width and the height.")
    brightness: float = Field(default=0.3, ge=0, lt=1, description="Largest relative change.")
    contrast: float = Field(default=0.3, ge=0, lt=1, description="Largest relative change.")
    saturation: float = Field(default=0.3, ge=0, le=1, description="Largest relative change.")
    hue_deg: float = Field(default=5.0, ge=0, le=180, description="Largest turn of the hue.")
    mosaic: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of images put together from parts of four, each shrunk: more and smaller objects an image.",
    )
    min_visible: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Objects of which the crop leaves a smaller share are ignored, not learned.",
    )


class TrainConfig(_Frozen):
    """How long and how the detector learns. Counted in steps, so that every arm of an experiment does the same work."""

    steps: int = Field(default=20_000, ge=1, description="Optimiser steps in all.")
    batch_size: int = Field(default=8, ge=1, description="Images a step, over all devices together.")
    accumulate: int = Field(
        default=1,
        ge=1,
        description="Equal parts in which each device learns its share of a step, one after another: the gradient of "
        "the large batch in the memory of a small one. BatchNorm sees one part at a time (see batch_norm).",
    )
    learning_rate: float = Field(default=2e-3, gt=0, description="AdamW's peak rate; a cosine brings it to 1% of this.")
    warm_up: float = Field(default=0.05, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    weight_decay: float = Field(default=0.02, ge=0, description="AdamW's decay of the convolutions' weights.")
    clip_norm: float = Field(default=10.0, gt=0, description="Gradients longer than this are shortened to it.")
    ema_decay: float = Field(
        default=0.999, ge=0, lt=1, description="Decay of the averaged weights, which are what predicts."
    )
    seed: int = Field(
        default=0, ge=0, description="Decides the first weights, the order of images and every augmentation."
    )
    sampling: Literal["uniform", "repeat_factor", "balanced"] = Field(
        default="uniform",
        description="Which images an epoch shows. uniform: each once. repeat_factor: those with a category on fewer "
        "images than repeat_below more often (LVIS). balanced: every category as often as any other.",
    )
    repeat_below: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="For repeat_factor: a category on a share f of the images is shown sqrt(repeat_below / f) times "
        "as often. LVIS took 0.001 for its 1,203 categories; few categories want more.",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Scores in a row without a new best, after which training stops early. Needs a validation set to "
        "score on (`train --val`); not for campaigns, whose arms do equal work.",
    )
    batch_norm: BatchNormKind = Field(
        default="synced",
        description="synced: statistics over the images of all devices, so that several learn what one would. local: "
        "each device's own, faster. frozen: those of the first weights, for very small batches.",
    )
    loss: LossWeights = LossWeights()
    augment: AugmentConfig = AugmentConfig()
    precision: Precision = Field(
        default="auto",
        description="auto: bf16 where the device computes it natively (CUDA, AVX-512 BF16, AMX), else fp32. "
        "Detecting follows the same setting.",
    )
    accelerator: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: CUDA when there is a GPU.")
    compile: bool = Field(
        default=False, description="torch.compile fuses the backbone's stages: a minute at the start, for long runs."
    )
    deterministic: bool = Field(
        default=False,
        description="Only kernels that give the same bits every time, and an error where a GPU has none. On the CPU "
        "they always do, for an equal number of threads.",
    )
    workers: int | None = Field(
        default=None, ge=0, description="Processes that decode images on each device; by default 0 on the CPU, else 4."
    )
    cache_gib: float = Field(
        default=8.0, ge=0, description="Largest file of decoded images kept while training, in GiB."
    )
    log_every: int = Field(default=20, ge=1, description="Steps between two log lines.")
    save_every: int = Field(default=500, ge=1, description="Steps between two checkpoints.")
    score_every: int = Field(default=1000, ge=1, description="Steps between two scores on the validation set.")

    @model_validator(mode="after")
    def _parts_are_equal(self) -> "TrainConfig":
        if self.batch_size % self.accumulate:
            raise InputError(
                "accumulate (baseline. or retrain.)",
                f"{self.batch_size} images do not divide into {self.accumulate} equal parts",
                f"use a divisor of batch_size, or a batch_size that is a multiple of {self.accumulate}",
            )
        return self
