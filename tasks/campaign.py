"""One campaign: its configuration and its folder."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from dataset.errors import InputError
from tasks.config import CampaignConfig
from tasks.layout import ARMS, ARMS_WITH_REFINED, Cycle, Run


@dataclass(frozen=True)
class Campaign:
    config: CampaignConfig
    run: Run

    @staticmethod
    def open(config: CampaignConfig) -> "Campaign":
        """The campaign's folder, made where it is new; the resolved configuration is saved in it."""
        run = Run((config.runs / config.name).absolute(), arms_of(config))
        if run.config.exists():
            _refuse_other_data(_read(run.config), config, run)
        run.folder.mkdir(parents=True, exist_ok=True)
        partial = run.config.with_suffix(".partial")
        partial.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        partial.replace(run.config)
        return Campaign(config, run)

    @staticmethod
    def reopen(folder: Path) -> "Campaign":
        """A campaign that was begun, with the configuration it was last run with. Raises InputError."""
        run = Run(folder.absolute())
        if not run.config.exists():
            raise InputError(folder, "is not the folder of a run (no config.yaml)", "name one, e.g. runs/demo")
        config = _read(run.config)
        return Campaign(config, Run(run.folder, arms_of(config)))

    def cycle(self, number: int) -> Cycle:
        return self.run.cycle(number)

    @property
    def seeds(self) -> range:
        return range(self.config.loop.training_seeds)


def arms_of(config: CampaignConfig) -> tuple[str, ...]:
    """The arms of each cycle: one more where a refiner is on."""
    return ARMS if config.refiner.kind == "none" else ARMS_WITH_REFINED


def _read(path: Path) -> CampaignConfig:
    try:
        return CampaignConfig.model_validate(yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        problem = f"is not a configuration of this version ({reason})"
        raise InputError(path, problem, "start a new run, or go on with the version that wrote it") from error


def _refuse_other_data(before: CampaignConfig, now: CampaignConfig, run: Run) -> None:
    """Two data sets of one name must not empty each other's steps."""
    for name in ("train", "val", "test"):
        was, wanted = getattr(before.data, name), getattr(now.data, name)
        if was != wanted:
            raise InputError(
                run.folder, f"holds a campaign with data.{name} {was!r}, not {wanted!r}", "choose another --name"
            )
    if before.stand_in is None and now.stand_in is not None:
        raise InputError(run.folder, "holds a campaign on real data, not on stand-in data", "choose another --name")
