"""Instance normalisation whose statistics may come from another view of the same picture.

A picture cut into tiles has other means and variances in each tile, and every tile would be painted in other colours.
`statistics_of` takes them from one small view of the whole picture instead, so that all tiles agree.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

EPSILON = 1e-5


class PictureNorm(nn.Module):
    """Each channel of each picture to mean 0 and variance 1, then scaled and shifted where `affine`.

    pix2pix's batch norm at its batch of one is the same thing; written this way, larger batches act alike.
    """

    def __init__(self, channels: int, *, affine: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self._keep, self._kept = False, None

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> the same shape. While statistics are kept, B is that of the view they came from."""
        if not self._keep:
            # Groups of one channel are instance norm; this kernel is several times faster in channels_last.
            return nn.functional.group_norm(x, x.shape[1], self.weight, self.bias, EPSILON)
        if self._kept is None:
            variance, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
            scale = (variance + EPSILON).rsqrt()
            if self.weight is not None and self.bias is not None:
                scale = scale * self.weight[:, None, None]
                self._kept = scale, self.bias[:, None, None] - mean * scale
            else:
                self._kept = scale, -mean * scale
        scale, shift = self._kept
        # float32, as autocast has group norm on a GPU: bfloat16 would lose the difference to a large mean in rounding.
        return x.float() * scale + shift


@contextmanager
def statistics_of(network: nn.Module, view: Tensor) -> Iterator[None]:
    """Inside, every norm of the network uses the statistics that it has on `view`: (B, C, H, W)."""
    norms = [module for module in network.modules() if isinstance(module, PictureNorm)]
    try:
        for norm in norms:
            norm._keep, norm._kept = True, None
        network(view)
        yield
    finally:
        for norm in norms:
            norm._keep, norm._kept = False, None
