"""Where the time of detecting goes: the network, and turning its cells into objects (at most 15% is asked for).

    python -m benchmarks.infer [--images 48] [--batch 8] [--width 640 --height 192]

A detector trained for a few steps on noise would propose nothing, so the load is made: the heads' bias is set so that
about as many cells propose as in a street (180 an image). 'ours' is the seconds of clustering, 'peer' those of all.
"""

import argparse
import json
import time

import numpy as np
import torch

from models.detector.cluster import cluster
from models.detector.config import DetectorConfig
from models.detector.grid import GridDetector
from models.detector.network import normalise
from models.detector.precision import autocast

CELLS_AN_IMAGE = 180


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 48), ("batch", 8), ("width", 640), ("height", 192)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = DetectorConfig(input_width_px=chosen.width, input_height_px=chosen.height)
    network = GridDetector(config, 3).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels = np.random.default_rng(0).integers(0, 255, (chosen.batch, chosen.height, chosen.width, 3), np.uint8)
    images = normalise(torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255)
    seconds = {"network": 0.0, "proposals": 0.0, "clustering": 0.0}
    proposed = 0
    with torch.inference_mode(), autocast(device):
        output = network(images)
        score = (output.coverage.sigmoid() * output.category.sigmoid()).flatten()
        weakest = score.topk(CELLS_AN_IMAGE * chosen.batch).values[-1].item()
        clustering = config.clustering.model_copy(update={"min_coverage": weakest})
        network.config = config.model_copy(update={"clustering": clustering})
        for _ in range(max(chosen.images // chosen.batch, 1)):
            marks = [time.perf_counter()]
            output = network(images)
            marks.append(_now(device))
            proposals = network.propose(output)
            marks.append(_now(device))
            for one in proposals:
                cluster(one, clustering)
            marks.append(_now(device))
            proposed += sum(len(one.score) for one in proposals)
            for name, start, end in zip(seconds, marks, marks[1:], strict=False):
                seconds[name] += end - start
    count = max(chosen.images // chosen.batch, 1) * chosen.batch
    whole = sum(seconds.values())
    print(f"{device}: {count / whole:.1f} images/s, {proposed / count:.0f} proposing cells an image")
    print(", ".join(f"{name} {1000 * value / count:.2f} ms an image" for name, value in seconds.items()))
    result = {
        "name": "clustering's share of inference",
        "ours": round(seconds["clustering"], 4),
        "peer": round(whole, 4),
    }
    print(json.dumps(result | {"unit": "s", "ratio": round(seconds["clustering"] / whole, 4)}))


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
