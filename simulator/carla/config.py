"""How scenes are captured from a CARLA server."""

from pydantic import BaseModel, ConfigDict, Field


class CarlaConfig(BaseModel):
    """Maps, time-outs and limits of the capture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    maps: tuple[str, ...] = Field(
        default=(),
        description="Maps to show scenes on, as Town03; each scene's own. None: the one that is loaded. "
        "No large ones (Town11 to Town15).",
    )
    connect_timeout_s: float = Field(default=60.0, gt=0, description="How long a server may take until it has a world.")
    rpc_timeout_s: float = Field(default=20.0, gt=0, description="How long any other call may take.")
    load_timeout_s: float = Field(default=240.0, gt=0, description="How long a map may take to load.")
    image_timeout_s: float = Field(default=30.0, gt=0, description="How long an image may take after its tick.")
    fixed_delta_s: float = Field(default=0.05, gt=0, le=0.1, description="Simulated seconds a tick.")
    appear_ticks: int = Field(
        default=4,
        ge=0,
        description="Ticks between a spawn and the first picture: CARLA keeps new vehicles and walkers out of the "
        "instance and semantic images for three.",
    )
    warm_up_ticks: int = Field(
        default=3,
        ge=0,
        description="Ticks with the camera in place before the picture: exposure and anti-aliasing settle, "
        "textures load. 0 suits the loopback server, whose pictures do not depend on the past.",
    )
    size_tolerance: float = Field(
        default=0.06,
        ge=0,
        le=1,
        description="Models whose size is this much (mean share) further off than the nearest one are drawn from too; "
        "half of it for the scene's target.",
    )
    max_clutter_misfit: float = Field(
        default=0.45, gt=0, description="Clutter further off in size than this (mean share) is not in the library."
    )
    anchor_attempts: int = Field(default=12, ge=1, description="Places on the map that are tried for a scene.")
    max_width_px: int = Field(default=4096, ge=64, description="Widest and highest image that is asked of a camera.")
