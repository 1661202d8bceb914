"""What a user chooses about the refiner. Each method's own settings lie beside the method, as presets that differ."""

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

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


class MethodConfig(BaseModel):
    """Base of each method's own settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def preset(cls, name: Preset) -> "MethodConfig":
        """The settings of a preset; here the defaults, for methods whose presets do not differ."""
        return cls()
