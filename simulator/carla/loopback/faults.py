"""What can go wrong with a CARLA server, made to happen on purpose: at random from a seed, or the next n times."""

import asyncio
from dataclasses import dataclass, field

import numpy as np

KINDS = {
    "late_images": "an image arrives late",
    "dropped_images": "an image never arrives",
    "reordered_images": "an image arrives after its successor",
    "spawn_failures": "a spawn fails as if something stood there",
    "stall": "no call is answered and no frame made for a while",
    "death": "the process ends at once, as killed",
    "loading": "calls are not answered and connections refused for a while, as by a server that is still starting",
    "unready": "the version is told, but all other calls are refused for a while, as before a map is loaded",
    "wrong_version": "the version is told as that of another release",
}
COUNTED = ("late_images", "dropped_images", "reordered_images", "spawn_failures", "wrong_version")


@dataclass(frozen=True)
class FaultRates:
    """The chance of each fault: by image, spawn or frame. All 0 by default."""

    late_images: float = 0.0
    dropped_images: float = 0.0
    reordered_images: float = 0.0
    spawn_failures: float = 0.0
    stall: float = 0.0
    death: float = 0.0
    late_s: float = 0.5  # how late a late image is; also how long a reordered one waits when none follows
    stall_s: float = 5.0  # how long a random stall lasts
    loading_s: float = 0.0  # how long the server takes to start
    unready_s: float = 0.0  # how long it then takes until it has a world
    version: str = "0.9.16"


@dataclass
class Faults:
    """Decides which events go wrong.

    Each kind draws from a generator of its own, so that the n-th image, spawn or frame meets the same fate in every
    run with the same seed and the same events.
    """

    rates: FaultRates = field(default_factory=FaultRates)
    seed: int = 0
    happened: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def __post_init__(self) -> None:
        self._draws = {kind: np.random.default_rng([self.seed, i]) for i, kind in enumerate(KINDS)}
        self._next = dict.fromkeys(KINDS, 0)  # how many of the next events are to go wrong
        self._frames_to_live: int | None = None
        self._silent_until_s = self._unready_until_s = 0.0

    def order(self, kind: str, amount: float) -> None:
        """Make the next `amount` events go wrong; for stall and unready the seconds, for death the frames until then.

        Raises ValueError for another kind.
        """
        if kind in COUNTED:
            self._next[kind] = int(amount)
        elif kind == "death":
            self._frames_to_live = int(amount)
        elif kind == "stall":
            self.be_silent(amount)
        elif kind == "unready":
            self.be_unready(amount)
        else:
            raise ValueError(f"fault '{kind}' is none of {', '.join(KINDS)}")

    def strikes(self, kind: str) -> bool:
        """Whether this event goes wrong. Draws once for each event, ordered or not."""
        at_random = self._draws[kind].random() < getattr(self.rates, kind, 0.0)
        ordered = self._next[kind] > 0
        if ordered:
            self._next[kind] -= 1
        self.happened[kind] += at_random or ordered
        return bool(at_random or ordered)

    def ends_now(self) -> bool:
        """Whether the server dies at this frame."""
        if self._frames_to_live is not None:
            self._frames_to_live -= 1
            if self._frames_to_live < 0:
                return True
        return self.strikes("death")

    def be_silent(self, seconds: float) -> None:
        self.happened["stall"] += 1
        self._silent_until_s = max(self._silent_until_s, asyncio.get_running_loop().time() + seconds)

    def be_unready(self, seconds: float) -> None:
        self.happened["unready"] += seconds > 0
        self._unready_until_s = asyncio.get_running_loop().time() + seconds

    @property
    def is_unready(self) -> bool:
        """Whether there is no world yet."""
        return asyncio.get_running_loop().time() < self._unready_until_s

    async def until_answering(self) -> None:
        """Wait for the end of a stall."""
        loop = asyncio.get_running_loop()
        while (left_s := self._silent_until_s - loop.time()) > 0:
            await asyncio.sleep(left_s)
