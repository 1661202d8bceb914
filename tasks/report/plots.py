"""Pictures of one cycle for MLflow."""

from pathlib import Path

from tasks.campaign import Campaign
from tasks.data import Data
from tasks.layout import Cycle


def write_cycle_plots(campaign: Campaign, cycle: Cycle, data: Data, folder: Path) -> None:
    """PNG files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
