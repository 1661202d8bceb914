"""One campaign: its configuration and its folder."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from dataset.errors import InputError
from tasks.config import CampaignConfig
from tasks.layout import Cycle, Run


@dataclass(frozen=True)
class Campaign:
    config: CampaignConfig
    run: Run

    @staticmethod
    def open(config: CampaignConfig) -> "Campaign":
        """The campaign's folder, made where it is new; the resolved configuration is saved in it."""
        run = Run((config.runs / config.name).absolute())
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
        return Campaign(CampaignConfig.model_validate(yaml.safe_load(run.config.read_text())), run)

    def cycle(self, number: int) -> Cycle:
        return self.run.cycle(number)

    @property
    def seeds(self) -> range:
        return range(self.config.loop.training_seeds)
