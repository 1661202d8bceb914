"""The one place that knows which networks there are."""

from .architecture import Architecture
from .config import DetectorConfig
from .grid import GridDetector
from .pyramid import PyramidDetector


def build(config: DetectorConfig, categories: int) -> Architecture:
    """The configured network; its first weights come from torch's global generator."""
    kind = GridDetector if config.architecture == "grid" else PyramidDetector
    return kind(config, categories)
