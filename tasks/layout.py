"""What is written where in a run's folder.

    runs/NAME/
      config.yaml                        the resolved configuration
      mlflow.json                        ids of the MLflow runs
      data/{all,val-all,test-all}/       what the readers made of the user's data
      data/splits/{train,pool,val,test}/ the splits
      cycle-00/                          the baseline; cycle-01, cycle-02, ... the imitation cycles
        training/ARM/seed-S/             last.pt; its curves are in MLflow
        detections/ARM/seed-S/           pool.parquet, val.parquet, test.parquet
        failures/                        failures.parquet: mined on the pool with the previous cycle's detector
        scenes/                          chosen.json: the ids of the failures that are re-created
        synthetic/{imitation,random}/    rendered frames of this cycle: a dataset store, images, scenes, checks
        refiner/                         refiner.pt: fitted on imitation's frames and the pool's images (refiner.kind)
        synthetic/refined/               imitation's frames after the refiner: a store, gate.parquet, provenance.parquet
        mix/{imitation,refined,random}/  what trains: real and synthetic under the cap
        comparison/                      metrics.json, fix_rate.parquet
      report/report.html
Each of these folders is a step (tasks/steps.py) and holds its record in step.json.
"""

from dataclasses import dataclass
from pathlib import Path

IMITATION, REFINED, RANDOM, REAL = "imitation", "refined", "random", "real"
ARMS = (IMITATION, RANDOM, REAL)  # the arm that the method proposes, and its two controls
ARMS_WITH_REFINED = (IMITATION, REFINED, RANDOM, REAL)  # where a refiner is on: imitation's frames, refined
BASELINE = "baseline"


@dataclass(frozen=True)
class Cycle:
    """The folders of one cycle; number 0 is the baseline."""

    run: "Run"
    number: int

    @property
    def folder(self) -> Path:
        return self.run.folder / f"cycle-{self.number:02d}"

    def training(self, arm: str, seed: int) -> Path:
        return self.folder / "training" / arm / f"seed-{seed}"

    def detections(self, arm: str, seed: int) -> Path:
        return self.folder / "detections" / arm / f"seed-{seed}"

    def synthetic(self, arm: str) -> Path:
        return self.folder / "synthetic" / arm

    def mix(self, arm: str) -> Path:
        return self.folder / "mix" / arm

    @property
    def failures(self) -> Path:
        return self.folder / "failures"

    @property
    def refiner(self) -> Path:
        return self.folder / "refiner"

    @property
    def scenes(self) -> Path:
        return self.folder / "scenes"

    @property
    def comparison(self) -> Path:
        return self.folder / "comparison"

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms whose detectors this cycle trains."""
        return (BASELINE,) if self.number == 0 else self.run.arms

    @property
    def mixed_arms(self) -> tuple[str, ...]:
        """Those of them that train on synthetic frames too."""
        return tuple(arm for arm in self.arms if arm not in (BASELINE, REAL))


@dataclass(frozen=True)
class Run:
    """The folder of one campaign, and the arms that its configuration asks of each cycle."""

    folder: Path
    arms: tuple[str, ...] = ARMS

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def split(self, name: str) -> Path:
        return self.data / "splits" / name

    def cycle(self, number: int) -> Cycle:
        return Cycle(self, number)

    def finished_cycles(self) -> list[int]:
        """Numbers of the cycles that have been compared, the baseline included, in order."""
        return sorted(int(path.parent.parent.name[6:]) for path in self.folder.glob("cycle-*/comparison/step.json"))
