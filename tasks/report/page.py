"""The campaign's page: report/report.html, complete in itself."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.campaign import Campaign
from tasks.comparison import metrics_of
from tasks.data import Data

FOLDER = Path(__file__).parent


def write_report(campaign: Campaign, data: Data, reason: str | None) -> Path:
    """Write the page anew from the run's folder. reason: why the campaign ended, None while it may go on."""
    cycles = [campaign.cycle(number) for number in campaign.run.finished_cycles()]
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("page.html.j2").render(
        name=campaign.run.name, reason=reason, records=[metrics_of(cycle) for cycle in cycles]
    )
    campaign.run.report.mkdir(parents=True, exist_ok=True)
    page = campaign.run.report / "report.html"
    partial = page.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(page)
    return page
