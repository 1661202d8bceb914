"""Intel's Open Image Denoise on the traced light."""

import importlib
import sys
from typing import Any

import numpy as np


class Denoiser:
    """One device for the life of the process, one filter a picture size.

    Making them anew for each frame grows the process past a gigabyte. Colour and its two guides are copied into
    arrays that the filter keeps pointing at.
    """

    def __init__(self) -> None:
        self._oidn = _pyoidn_without_torch()
        self._device = self._oidn.Device(self._oidn.OIDN_DEVICE_TYPE_CPU)
        self._device.commit()
        self._filter: Any = None
        self._images: dict[str, np.ndarray] = {}

    def __call__(self, radiance: np.ndarray, albedo: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """All (H, W, 3) float32, linear and unbounded -> (H, W, 3) float32."""
        if self._filter is None or self._images["output"].shape != radiance.shape:
            self._make_filter(radiance.shape)
        for name, values in (("color", radiance), ("albedo", albedo), ("normal", normal)):
            self._images[name][:] = values
        self._filter.execute()  # type: ignore[union-attr]
        problem = self._device.get_error()
        if problem is not None:
            raise RuntimeError(f"Open Image Denoise: {problem}")
        return self._images["output"].copy()

    def _make_filter(self, shape: tuple[int, ...]) -> None:
        if self._filter is not None:
            self._filter.release()
        self._filter = self._oidn.Filter(self._device, self._oidn.OIDN_FILTER_TYPE_RT)
        self._images = {name: np.zeros(shape, np.float32) for name in ("color", "albedo", "normal", "output")}
        for name, image in self._images.items():
            self._filter.set_image(name, image, self._oidn.OIDN_FORMAT_FLOAT3)
        self._filter.set_bool("hdr", True)
        self._filter.set_bool("cleanAux", True)
        self._filter.set_quality(self._oidn.OIDN_QUALITY_FAST)
        self._filter.commit()

    def close(self) -> None:
        if self._filter is not None:
            self._filter.release()
            self._filter = None
        self._device.release()


def _pyoidn_without_torch() -> Any:
    """pyoidn imports torch where it is installed, for tensors that it never gets here: half a gigabyte a process."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("pyoidn")
    finally:
        if hidden:
            del sys.modules["torch"]
