"""The history of refined images that keeps a discriminator from forgetting what the refiner did before.

Shrivastava et al. 2017 (SimGAN), section 2.3: half of each batch of refined images that the discriminator sees comes
from a buffer of earlier ones, half of a batch of new ones then enters the buffer in place of random old ones.
"""

import torch
from torch import Tensor

from dataset.errors import InputError


class History:
    """Up to `capacity` refined images, kept as 8 bits a channel. All draws come from torch's global generator."""

    def __init__(self, capacity: int):
        if capacity < 1:
            raise InputError("history", f"a buffer of {capacity} images", "use at least 1")
        self.capacity = capacity
        self._images: Tensor | None = None  # (capacity, 3, h, w) uint8; the first `_count` are filled
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def mix(self, refined: Tensor) -> Tensor:
        """refined (B, 3, h, w) in [-1, 1], new -> as many, of which B // 2 (or as many as there are) are old ones.

        The old ones take the places of the last of the new. Then B // 2 of the new are kept for later: appended while
        there is room, after that in place of random old ones. They are drawn from the whole batch, since what was
        left out of this one would otherwise never be kept.
        """
        refined = refined.detach()
        half = len(refined) // 2
        old = self._draw(min(half, len(self)), refined)
        mixed = torch.cat([refined[: len(refined) - len(old)], old])
        self._keep(refined[torch.randperm(len(refined))[: max(half, 1)].to(refined.device)])
        return mixed

    def state(self) -> dict[str, Tensor]:
        """What `load` needs to go on as if never stopped; the images lie on the CPU."""
        return {} if self._images is None else {"images": self._images[: self._count].clone()}

    def load(self, state: dict[str, Tensor]) -> None:
        """InputError where the state holds more images than fit."""
        images = state.get("images")
        if images is None:
            self._images, self._count = None, 0
            return
        if len(images) > self.capacity:
            raise InputError(
                "history", f"{len(images)} saved images for {self.capacity} places", "start this fit afresh"
            )
        self._images, self._count = self._room(images), len(images)
        self._images[: self._count] = images

    def _room(self, like: Tensor) -> Tensor:
        return torch.empty((self.capacity, *like.shape[1:]), dtype=torch.uint8)

    def _draw(self, count: int, like: Tensor) -> Tensor:
        if count == 0 or self._images is None:
            return like[:0]
        rows = torch.randperm(self._count)[:count]
        return (self._images[rows].to(like.device, like.dtype) / 127.5) - 1

    def _keep(self, images: Tensor) -> None:
        stored = ((images + 1) * 127.5).round().clamp(0, 255).to("cpu", torch.uint8)
        if self._images is None:
            self._images = self._room(stored)
        appended = min(len(stored), self.capacity - self._count)
        self._images[self._count : self._count + appended] = stored[:appended]
        self._count += appended
        rest = stored[appended:][: self.capacity]
        if len(rest):
            self._images[torch.randperm(self.capacity)[: len(rest)]] = rest
