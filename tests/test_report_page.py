"""The campaign's page: complete in itself, honest about noise, and readable whatever is unknown."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataset.errors import InputError
from dataset.store import Dataset
from tasks.campaign import Campaign
from tasks.comparison import REFINING, metrics_of
from tasks.config import CampaignConfig
from tasks.data import Data
from tasks.layout import ARMS, IMITATION, REFINED
from tasks.publish import per_cycle
from tasks.refining import gate_summary
from tasks.report import findings, ledger, tallies
from tasks.report.page import write_report
from tests.report_run import build_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Campaign, Data]:
    return build_run(tmp_path_factory.mktemp("finished"), cycles=2)


@pytest.fixture(scope="module")
def page(finished) -> str:
    campaign, data = finished
    return write_report(campaign, data, "2 cycles done (loop.max_cycles)").read_text()


def text_of(page: str) -> str:
    body = page[page.index("<body>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"data:image/[^\"]+", "", body)))


class Elements(HTMLParser):
    """Counts what a reader without eyes or network would miss."""

    def __init__(self, page: str):
        super().__init__()
        self.addresses, self.images, self.without_alt, self.open = [], 0, 0, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.addresses += [given[name] for name in ("src", "href") if given.get(name)]
        if tag == "img":
            self.images += 1
            self.without_alt += not given.get("alt")
        if tag == "svg":
            self.without_alt += not (given.get("aria-label") or given.get("aria-hidden"))
        if tag in ("section", "table", "details", "figure", "tr", "td", "div", "article"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and tag == self.open[-1]:
            self.open.pop()


def test_the_page_needs_no_network_and_describes_every_picture(page):
    elements = Elements(page)
    assert elements.images > 10
    assert all(address.startswith("data:image/jpeg;base64,") for address in elements.addresses)
    assert elements.without_alt == 0
    assert elements.open == [], "an element is never closed"
    assert "url(" not in page and "@import" not in page and "<script" not in page
    assert len(page) < 8e6


def test_the_page_tells_where_the_campaign_stands(finished, page):
    campaign, data = finished
    text = text_of(page)
    assert "Stopped: 2 cycles done (loop.max_cycles)." in text
    assert "The campaign may go on." in text_of(write_report(campaign, data, None).read_text())
    assert "python -m flows campaign --config" in text
    assert "cycle-02/comparison" in text and "cycle-01/failures/failures.parquet" in text
    for path, _ in ledger.places(campaign.run):
        assert not Path(path).is_absolute() and (campaign.run.folder / path).exists()


def test_unknown_is_said_and_never_hidden_or_nan(page):
    text = text_of(page)
    assert "tram 0 unknown unknown unknown" in text, "a category without objects keeps its row"
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert "unknown: distance, occlusion, truncation, time of day, weather" in text


def test_stand_in_data_is_announced_and_real_data_is_not(page, tmp_path):
    assert "stand-in data" not in text_of(page)
    campaign, data = build_run(tmp_path, 0, source="stand-in", test=False)
    stand_in = write_report(campaign, data, None).read_text()
    assert "Made with stand-in data." in text_of(stand_in)


def test_a_baseline_alone_has_a_page_without_test_split(tmp_path):
    campaign, data = build_run(tmp_path, 0, test=False)
    text = text_of(write_report(campaign, data, None).read_text())
    assert "No imitation cycle is finished yet." in text
    assert "Nothing has been mined yet" in text
    assert "mAP, val" in text and "mAP, test" not in text


def test_what_refining_did_is_told_with_its_pictures_and_whether_it_paid(tmp_path):
    campaign, data = build_run(tmp_path, 1, test=False, refiner="lab")
    cycle, page = campaign.cycle(1), write_report(campaign, data, None).read_text()
    kept = gate_summary(cycle).outcomes
    text, elements = text_of(page), Elements(page)
    assert sum(kept.values()) == len(Dataset.open(cycle.synthetic(IMITATION))) > 0
    assert f"1 lab {kept['keep']} {kept['blend']} {kept['drop']}" in text
    silent = gate_summary(cycle).silent_images  # its gate's detector sees nothing
    assert silent > 0 and f"0% 0% unknown unknown none fell {silent} " in text
    assert "The arm with refined scenes" in text and "refined: real + the same scenes, refined" in text
    assert 'class="key refined"' in page
    assert elements.open == [] and elements.without_alt == 0
    gain = metrics_of(cycle)[REFINING]["val"]["mAP"]["value"]
    values = per_cycle(metrics_of(cycle))
    assert values["mAP_gain/val/refined_against_imitation"] == gain
    assert gain == pytest.approx(values["mAP/val/refined"] - values["mAP/val/imitation"])
    assert list(metrics_of(cycle)["arms"]) == [IMITATION, REFINED, "random", "real"]
    assert metrics_of(cycle)["mix"].keys() == {IMITATION, REFINED, "random"}


def test_a_campaign_without_a_finished_cycle_is_refused(tmp_path):
    campaign = Campaign.open(CampaignConfig.model_validate({"runs": tmp_path}))
    with pytest.raises(InputError, match="no cycle is finished"):
        write_report(campaign, Data(tmp_path, tmp_path, tmp_path, None, ""), None)


def test_an_old_page_survives_a_failed_attempt_to_write_a_new_one(finished, page):
    campaign, data = finished
    file = campaign.run.report / "report.html"
    table = campaign.cycle(2).synthetic(IMITATION) / "frames.parquet"
    hidden = table.rename(table.with_suffix(".hidden"))
    before = file.read_text()
    with pytest.raises(InputError):
        write_report(campaign, data, None)
    hidden.rename(table)
    assert file.read_text() == before


def test_markup_in_a_name_is_shown_and_not_obeyed(tmp_path):
    campaign, data = build_run(tmp_path, 0, test=False)
    record = campaign.cycle(0).comparison / "metrics.json"
    record.write_text(record.read_text().replace("tram", "<b>tram</b>"))
    page = write_report(campaign, data, None).read_text()
    assert "&lt;b&gt;tram&lt;/b&gt;" in page and "<b>tram" not in page


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ({"value": 0.031, "low": 0.012, "high": 0.05}, "gains 0.031 mAP over X (95% interval +0.012 to +0.050)."),
        ({"value": 0.01, "low": -0.02, "high": 0.04}, "−0.020 to +0.040): not outside the noise."),
        ({"value": -0.02, "low": -0.04, "high": 0.01}, "loses 0.020 mAP against X"),
        ({"value": 0.0, "low": 0.0, "high": 0.0}, "exactly as well as X"),
        ({"value": np.nan, "low": np.nan, "high": np.nan}, "is unknown"),
    ],
)
def test_a_gain_is_called_one_only_outside_the_noise(gain, said):
    sentence = findings.gain_sentence(gain, "X")
    assert said in sentence
    assert ("not outside the noise" in sentence) == (gain["low"] < 0 < gain["high"])


def record(cycle: int, champion: dict, test: bool = True) -> dict:
    def scores(value):
        interval = {"value": value, "low": value - 0.1, "high": value + 0.1}
        return {split: {"intervals": {"mAP": interval}} for split in (("val", "test") if test else ("val",))}

    gain = {split: {"mAP": {"value": 0.05, "low": 0.01, "high": 0.1}} for split in ("val", "test")}
    arms = {arm: scores(0.3 + 0.1 * cycle) for arm in (ARMS if cycle else ("baseline",))}
    return {"cycle": cycle, "arms": arms, "gains": {"real": gain, "random": gain}, "champion": champion}


def test_the_headline_speaks_of_the_champion_and_not_of_a_newer_detector_that_lost():
    baseline = record(0, {"cycle": 0, "arm": "baseline", "promoted": True})
    crowned = {"cycle": 1, "arm": IMITATION, "promoted": True}
    records = [baseline, record(1, crowned), record(2, crowned | {"promoted": False})]
    assert "Cycle 1's detector (the champion) reaches 0.400 mAP on test" in findings.headline(records)[0]
    unbeaten = record(1, {"cycle": 0, "arm": "baseline", "promoted": False}, test=False)
    headline = findings.headline([baseline, unbeaten])
    assert "none has beaten the baseline on val outside the noise" in headline[0]
    assert "test split would be the fairer judge" in headline[-1]


def test_bins_add_up_to_all_failures_that_scenes_can_answer(finished):
    cycle = finished[0].cycle(1)
    counts = tallies.counts_by_cycle([cycle])
    answerable = sum(
        row[0] for kind, row in counts["kind"].rows.items() if kind not in ("on-ignore", "likely-label-error")
    )
    for by, table in counts.items():
        if by != "kind":
            assert sum(row[0] for row in table.rows.values()) == answerable


def test_the_share_fixed_counts_every_failure_once(finished):
    cycle = finished[0].cycle(1)
    table = pq.read_table(cycle.comparison / "fix_rate_imitation_by_category.parquet").to_pydict()
    share = tallies.fixed_share(cycle, IMITATION)
    assert share["value"] == pytest.approx(sum(table["fixed"]) / sum(table["failures"]))
    assert share["low"] < share["value"] < share["high"]


def test_the_reconstruction_check_counts_scenes_and_not_tries(finished):
    cycle = finished[0].cycle(1)
    wanted = len(json.loads((cycle.scenes / "chosen.json").read_text()))
    found = tallies.reconstruction(cycle, IMITATION)
    assert found is not None
    assert (found.wanted, found.fitted, found.tries) == (wanted, (wanted + 1) // 2, 2 * wanted)
    assert found.median_iou == pytest.approx(0.9), "misses do not enter"
    assert found.mean_occlusion_error == pytest.approx(0.05), "errors do not cancel out"
    assert dict(found.misses)["IoU"] == wanted


def test_every_step_is_timed_and_data_comes_first(finished):
    run = finished[0].run
    stages = ledger.stages(run)
    assert len(stages) == len(list(Path(run.folder).rglob("step.json")))
    assert stages[0].cycle == "data"
    assert [stage.cycle for stage in stages][-1] == "cycle 2"
