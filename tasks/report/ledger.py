"""How long each stage took, where its outcome lies, and how to go on."""

import json
import shlex
from dataclasses import dataclass

from tasks.campaign import Campaign
from tasks.layout import Run

# Steps lie at these depths; anything deeper is data, and may be a million images.
STEP_PLACES = ("data/*", "cycle-*/*", "cycle-*/*/*", "cycle-*/*/*/*")
PLACES = (
    ("config.yaml", "the resolved configuration"),
    ("data/splits/*", "a split of the real data"),
    ("cycle-*/training/*/*/last.pt", "a detector: it judged, and the next cycle goes on from it"),
    ("cycle-*/detections/*/*", "what a detector says of pool, val and test"),
    ("cycle-*/failures/failures.parquet", "every failure, costliest first"),
    ("cycle-*/scenes/chosen.json", "the failures that were re-created"),
    ("cycle-*/synthetic/*", "rendered frames: images, labels, scenes, reconstruction check"),
    ("cycle-*/refiner/refiner.pt", "what made them look more real: synthetic/refined, with the gate's table"),
    ("cycle-*/mix/*", "what trained: real and synthetic under the cap"),
    ("cycle-*/comparison", "metrics.json and the fix rates"),
    ("cycle-*/published/plots", "the pictures that MLflow shows"),
    ("mlflow.json", "ids of the MLflow runs"),
)


@dataclass(frozen=True)
class Stage:
    cycle: str
    name: str
    seconds: float


def stages(run: Run) -> list[Stage]:
    """Every finished step with the seconds of the attempt that finished it, in the order in which they ended."""
    files = {file for place in STEP_PLACES for file in run.folder.glob(f"{place}/step.json")}
    found = []
    for file in sorted(files, key=lambda file: (file.parent.relative_to(run.folder).parts[0], file.stat().st_mtime)):
        parts = file.parent.relative_to(run.folder).parts
        cycle = "data" if parts[0] == "data" else f"cycle {int(parts[0][6:])}"
        found.append(Stage(cycle, " ".join(parts[1:]), json.loads(file.read_text())["seconds"]))
    return sorted(found, key=lambda stage: stage.cycle != "data")


def places(run: Run) -> list[tuple[str, str]]:
    """(path below the run's folder, what it is) of what is there."""
    return [
        (path.relative_to(run.folder).as_posix(), meaning)
        for place, meaning in PLACES
        for path in sorted(run.folder.glob(place))
    ]


def commands(campaign: Campaign) -> list[tuple[str, str]]:
    """(what it does, command) to go on with this campaign from its saved configuration."""
    folder = campaign.config.runs / campaign.run.name
    config, run = shlex.quote(str(folder / "config.yaml")), shlex.quote(str(folder))
    return [
        ("go on; finished steps are skipped", f"python -m flows campaign --config {config}"),
        ("one more cycle", f"python -m flows cycle --config {config}"),
        ("write this page anew", f"python -m flows report {run}"),
    ]
