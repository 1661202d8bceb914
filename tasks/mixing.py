"""Mix real and synthetic frames under the cap. Synthetic data aggregates over the cycles, as in DAgger."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.mix import mix
from dataset.store import Dataset, concatenate
from tasks.campaign import Campaign
from tasks.data import Data
from tasks.layout import Cycle
from tasks.log import say
from tasks.mining import failures_of
from tasks.steps import Step, code_digest, finished, run_step


@task(cache_policy=NO_CACHE, task_run_name="mix-{arm}")
def mix_under_cap(campaign: Campaign, cycle: Cycle, arm: str, data: Data, synthetic: list[Step]) -> Step:
    """Real training frames and this arm's synthetic ones of all cycles so far: mix/ARM/store and mix.json."""
    config = campaign.config.loop

    def work(folder: Path) -> str:
        every = concatenate([Dataset.open(step.folder) for step in synthetic], folder / "synthetic")
        mixed = mix(
            Dataset.open(data.train),
            every,
            max_synthetic_share=max_share_of_mix(config.max_synthetic_share, config.cap_of),
            weights=weights_by_cost(cycle, every),
            seed=config.seed,
            folder=folder / "store",
        )
        summary = {
            "real": len(mixed.dataset) - len(every) + mixed.dropped,
            "synthetic": len(every) - mixed.dropped,
            "dropped": mixed.dropped,
            "synthetic_share": mixed.synthetic_share,
        }
        (folder / "mix.json").write_text(json.dumps(summary))
        return mixed.dataset.digest

    step = run_step(
        cycle.mix(arm),
        work,
        data=data.digest,
        synthetic=[step.digest for step in synthetic],
        failures=[finished(cycle.run.cycle(number).failures).digest for number in range(1, cycle.number + 1)],
        config=config.model_dump(include={"max_synthetic_share", "cap_of", "seed"}),
        code=code_digest("dataset", "evaluation"),
    )
    summary = summary_of(cycle, arm)
    say(f"{step}; {summary['synthetic']} synthetic to {summary['real']} real, {summary['dropped']} over the cap")
    return step


def max_share_of_mix(share: float, cap_of: str) -> float:
    """The cap as a share of the mix. 'real' counts against the real frames: s <= c r is s / (s + r) <= c / (1 + c)."""
    return share if cap_of == "mix" else share / (1 + share)


def weights_by_cost(cycle: Cycle, synthetic: Dataset) -> np.ndarray | None:
    """How much each synthetic frame is wanted when the cap binds, by the newest failure table."""
    answered = {frame.failure_id for frame, _ in synthetic.stream() if frame.failure_id}
    kind_of: dict[str, str] = {}
    cost: dict[str, float] = defaultdict(float)
    for number in range(1, cycle.number + 1):
        rows = failures_of(cycle.run.cycle(number)).table(["failure_id", "kind", "cost_ap"])
        for batch in rows.to_batches(max_chunksize=4096):
            for row in batch.to_pylist():
                if row["failure_id"] in answered:
                    kind_of[row["failure_id"]] = row["kind"]
                if number == cycle.number:
                    cost[row["kind"]] += row["cost_ap"]
    return shares_by_cost([kind_of.get(frame.failure_id or "") for frame, _ in synthetic.stream()], cost)


def shares_by_cost(kinds: Sequence[str | None], cost: Mapping[str, float]) -> np.ndarray | None:
    """A kind's share of the room follows what it costs in AP, and is divided among the frames that answer it.

    kinds: the failure kind that each frame answers. None where no frame answers any: all count alike.
    """
    if not any(kinds):
        return None
    frames = Counter(kinds)
    floor = 0.01 * max(cost.values(), default=1.0)  # a kind that no longer costs anything keeps a foot in the door
    return np.array([max(cost.get(kind or "", 0.0), floor) / frames[kind] for kind in kinds])


def summary_of(cycle: Cycle, arm: str) -> dict[str, float]:
    return json.loads((cycle.mix(arm) / "mix.json").read_text())
