"""What a user may choose about a generator of road scenes and its training."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dataset.errors import InputError

SMALLEST_MAP_PX = 4
PresetName = Literal["paper", "small"]


class GeneratorConfig(BaseModel):
    """Networks and training of a DCGAN (Radford et al. 2016). The defaults are the preset `paper`: DataGAN's settings.

    The discriminator is much narrower than the generator and learns twenty times more slowly, on purpose: the
    generator is what is wanted, and a discriminator that wins early teaches it nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_px: int = Field(default=128, ge=16, description="Width and height of a picture, a power of two.")
    latent: int = Field(default=100, ge=1, description="Random numbers that decide a picture.")
    generator_channels: tuple[int, ...] = Field(
        default=(1024, 512, 256, 128, 64), description="Channels of the generator's maps of 4, 8, 16, ... px."
    )
    discriminator_channels: tuple[int, ...] = Field(
        default=(64, 128, 256, 256, 512), description="Channels of the discriminator's maps of size / 2, ..., 8, 4 px."
    )
    steps: int = Field(default=20_000, ge=1, description="Training steps; the article gives no number to copy.")
    batch_size: int = Field(default=64, ge=2, description="Real pictures a step, and as many generated ones.")
    generator_rate: float = Field(default=2e-4, gt=0, description="Adam's rate for the generator.")
    discriminator_rate: float = Field(default=1e-5, gt=0, description="Adam's rate for the discriminator.")
    beta1: float = Field(default=0.5, ge=0, lt=1, description="Adam's decay of the mean gradient.")
    mirror: bool = Field(default=False, description="Show half of the real pictures mirrored.")
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of the averaged generator that is kept in the end; 0 keeps the last.",
    )
    class_weight: float = Field(
        default=1.0, ge=0, description="Weight of the class loss beside the real-or-generated one (AC-GAN: 1)."
    )
    balanced: bool = Field(
        default=True, description="With classes: show each equally often, rare ones by repeating their pictures."
    )

    @model_validator(mode="after")
    def _maps_fit_the_size(self) -> "GeneratorConfig":
        levels = self.size_px.bit_length() - SMALLEST_MAP_PX.bit_length()
        if self.size_px != SMALLEST_MAP_PX << levels:
            raise InputError("size_px", f"{self.size_px} is no power of two", f"use {SMALLEST_MAP_PX << levels}")
        for name in ("generator_channels", "discriminator_channels"):
            given = getattr(self, name)
            if len(given) != levels or min(given) < 1:
                raise InputError(
                    name,
                    f"{given} for pictures of {self.size_px} px",
                    f"give {levels} positive numbers, one a doubling",
                )
        return self

    @staticmethod
    def preset(name: str, **changes: Any) -> "GeneratorConfig":
        """The settings of a preset with some of them changed. InputError when there is no such preset."""
        if name not in PRESETS:
            raise InputError("--preset", f"{name!r} is none", f"use one of {', '.join(PRESETS)}")
        return GeneratorConfig(**(PRESETS[name] | {key: value for key, value in changes.items() if value is not None}))


# Differences from the defaults, each with its reason.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "small": {  # minutes on a CPU
        "size_px": 64,
        "latent": 64,
        "generator_channels": (256, 128, 64, 32),
        "discriminator_channels": (32, 64, 128, 128),
        "batch_size": 32,
        "steps": 3000,
        "discriminator_rate": 1e-4,  # so few steps would leave the paper's discriminator where it began
        "mirror": True,  # twice the pictures of a small set
        "average": 0.995,  # steadies a generator that has seen few steps
    },
}
