"""The one configuration of a campaign: presets and overrides fill it, and it is the form in the Prefect UI."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dataset.errors import InputError
from models.detector.config import DetectorConfig, TrainConfig
from models.refiners.config import GateConfig, RefinerConfig
from simulator.carla.anchors import kinds_for_carla
from simulator.carla.config import CarlaConfig
from simulator.carla.pool import SCHEME, servers_of
from simulator.carla.supervision import SupervisionConfig
from simulator.labels import LabelLimits
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.recreate import RecreateConfig

EMBEDDED = "embedded"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraConfig(Settings):
    """The camera that took the real frames, where the data set does not say."""

    fx_px: float = Field(gt=0)
    fy_px: float = Field(gt=0)
    cx_px: float
    cy_px: float
    height_m: float = Field(default=1.65, gt=0)
    pitch_deg: float = 0.0


class DataConfig(Settings):
    """Which real data, and who learns from it."""

    train: str = Field(
        default="",
        description="kitti:DIR, coco:FILE.json[?images=DIR], ... (README lists all); the pool is split off it",
    )
    val: str | None = Field(default=None, description="The same for validation; None splits it off `train`")
    test: str | None = Field(
        default=None, description="The same for the test; None splits it off `train` (see test_share)"
    )
    categories: dict[str, str] | None = Field(
        default=None, description="Name in the files -> category, 'ignore' or 'drop'; None keeps the names"
    )
    group_regex: str | None = Field(
        default=None,
        description="First group of this expression on a frame's id names its clip or city; splits never cut one",
    )
    camera: CameraConfig | None = Field(default=None, description="Where the data set has no calibration")
    skip_bad: bool = Field(default=False, description="Leave bad frames out and list them, instead of stopping")
    pool_share: float = Field(default=0.3, gt=0, lt=1, description="Part of `train` that is mined and not trained on")
    val_share: float = Field(default=0.2, ge=0, lt=1, description="Part of `train` for validation, when `val` is None")
    test_share: float = Field(default=0.0, ge=0, lt=1, description="Part of `train` for the test, when `test` is None")


class StandInConfig(Settings):
    """The demo's stand-in for real data: a rendered world with other assets, places and another camera."""

    frames: int = Field(default=200, gt=0)
    width_px: int = Field(default=480, gt=0)
    height_px: int = Field(default=160, gt=0)
    seed: int = 7


class MiningConfig(Settings):
    """Which failures count and which are worth a scene."""

    score_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Detections below it do not count; None: the score with the best F1, by category",
    )
    iou_threshold: float = Field(default=0.5, gt=0, le=1)
    max_failures: int = Field(default=40, gt=0, description="The costliest so many are re-created in a cycle")


class SimulatorConfig(Settings):
    """How scenes are drawn, rendered and labelled."""

    address: str = Field(
        default=EMBEDDED,
        description="'embedded', or CARLA 0.9.16 servers that share the scenes: carla://host:2000,host:2002",
    )
    workers: int | None = Field(
        default=None, ge=1, description="Rendering processes; None: one a processor, with CARLA one a server"
    )
    device: str = Field(default="cpu", description="Where the embedded simulator traces: 'cpu' or 'cuda:0'")
    models: Path | None = Field(
        default=None,
        description="A folder of your own GLB models with a models.yaml, which join the embedded simulator's assets or "
        "replace them (simulator/assets/manifest.py)",
    )
    max_width_px: int | None = Field(
        default=None,
        gt=0,
        description="Frames wider than this are re-created at this width; None: at the size of the real ones",
    )
    attempts: int = Field(
        default=4, gt=0, description="Scenes drawn for one failure until the rendered label fits the request"
    )
    recreate: RecreateConfig = RecreateConfig()
    street: RandomStreetConfig = RandomStreetConfig()
    randomisation: RandomisationConfig = RandomisationConfig()
    limits: LabelLimits = LabelLimits()
    carla: CarlaConfig = CarlaConfig()
    supervision: SupervisionConfig = SupervisionConfig()

    @field_validator("address")
    @classmethod
    def _known_simulator(cls, address: str) -> str:
        if address == EMBEDDED:
            return address
        if not address.startswith(SCHEME):
            raise ValueError(f"{address!r} is neither '{EMBEDDED}' nor {SCHEME}HOST:PORT")
        try:
            servers_of(address)
        except InputError as error:
            raise ValueError(f"{error.problem}: {error.remedy}") from error
        return address

    @model_validator(mode="after")
    def _pinhole_on_carla(self) -> "SimulatorConfig":
        if self.uses_carla and self.street.distorts:
            street = self.street
            ranges = f"street.radial_k1 {list(street.radial_k1)} and radial_k2 {list(street.radial_k2)}"
            raise ValueError(f"{ranges} distort, and CARLA's cameras are pinholes: leave both at [0, 0]")
        return self

    @property
    def uses_carla(self) -> bool:
        return self.address != EMBEDDED

    @property
    def randomisation_shown(self) -> RandomisationConfig:
        """`randomisation`; on CARLA without the kinds of places that its towns do not have."""
        return kinds_for_carla(self.randomisation) if self.uses_carla else self.randomisation

    @property
    def carla_shown(self) -> CarlaConfig:
        """`carla`, with the maps of the streets where it names none.

        Else what lies on no map would be shown on the one that its server happens to have loaded.
        """
        maps = self.carla.maps or tuple(dict.fromkeys(file.stem for file in self.street.maps))
        return self.carla.model_copy(update={"maps": maps})


class RefiningConfig(RefinerConfig):
    """What makes a cycle's renders look more real: a further arm trains on them, so that the campaign shows its worth.

    Fitted anew in each cycle on its own renders and the pool's real images; never on those of val or test.
    """

    weights: str | None = Field(
        default=None,
        description="Inception v3's state dict, for refiners that learn by features; None: the detector's backbone",
    )
    gate: GateConfig = Field(
        default=GateConfig(), description="From what on a refined image is blended back towards its render, or dropped"
    )


class LoopConfig(Settings):
    """When the loop ends and how its arms are trained."""

    max_cycles: int = Field(default=3, gt=0)
    patience: int = Field(
        default=2, gt=0, description="Cycles in a row without a gain before the loop stops (the first may drop)"
    )
    epsilon: float = Field(default=0.002, ge=0, description="A gain in val mAP below this is none")
    max_synthetic_share: float = Field(
        default=0.5, gt=0, lt=1, description="The cap: synthetic frames in the mix that trains"
    )
    cap_of: Literal["mix", "real"] = Field(
        default="mix", description="'real' is the stricter reading: at most so much of the real"
    )
    training_seeds: int = Field(
        default=1, gt=0, description="Each arm is trained so often; intervals cover images and seeds"
    )
    bootstrap_samples: int = Field(default=1000, gt=0)
    seed: int = 0


class MlflowConfig(Settings):
    tracking_uri: str | None = Field(default=None, description="None: $MLFLOW_TRACKING_URI, else runs/mlflow.db")
    experiment: str = "hardcase"

    @field_validator("tracking_uri")
    @classmethod
    def _no_password(cls, uri: str | None) -> str | None:
        """The configuration is saved with the run and shown in the report and in MLflow."""
        if uri is not None and re.search(r"://[^/@:]*:[^/@]+@|password=", uri):
            raise ValueError("holds a password, which would be saved with the run: pass it in MLFLOW_TRACKING_URI")
        return uri


class CampaignConfig(Settings):
    """Everything that decides a campaign."""

    name: str = Field(default="campaign", pattern=r"^\w[\w.-]*$", description="The run's folder below `runs`")
    runs: Path = Path("runs")
    data: DataConfig = DataConfig()
    stand_in: StandInConfig | None = Field(default=None, description="Render this instead of reading `data.train`")
    detector: DetectorConfig = DetectorConfig()
    weights: str | None = Field(
        default=None,
        description="Backbone to begin with: 'torchvision' (fetched), a path to a state dict, None: from scratch",
    )
    baseline: TrainConfig = TrainConfig()
    retrain: TrainConfig = TrainConfig()
    mining: MiningConfig = MiningConfig()
    simulator: SimulatorConfig = SimulatorConfig()
    refiner: RefiningConfig = RefiningConfig()
    loop: LoopConfig = LoopConfig()
    mlflow: MlflowConfig = MlflowConfig()

    @model_validator(mode="after")
    def _one_source(self) -> "CampaignConfig":
        if self.stand_in is not None and (self.data.train or self.data.val or self.data.test):
            raise ValueError(
                "stand_in renders the data, but data names some too: set stand_in to null, or name no data"
            )
        return self
