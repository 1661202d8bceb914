"""The ticks of one scene: each layer of actors in the sky, then all in the street. Images are fetched afterwards.

A server paints while the client already arranges the next tick. Nothing moves by itself, so that a take of which an
image never came can be repeated, also after later ones.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.carla.capture import PICTURE, ImageLost, Rig, Shot
from simulator.carla.config import CarlaConfig
from simulator.carla.connect import Connection
from simulator.carla.library import Model
from simulator.carla.troupe import Troupe, lifted
from simulator.carla.unreal import Transform

log = logging.getLogger(__name__)

Images = dict[str, np.ndarray]


class Take(NamedTuple):
    """What was arranged for a tick, and the tick. `layer`: the actors in the sky; None is the street."""

    layer: tuple[int, ...] | None
    wide: bool
    shot: Shot


class Takes:
    """Arranges and ticks. `lit`: the models whose lamps burn in the street, by actor; None by day."""

    def __init__(
        self,
        connection: Connection,
        rig: Rig,
        troupe: Troupe,
        camera: Transform,
        poses: Sequence[Transform],
        lit: Sequence[Model] | None,
        config: CarlaConfig,
    ):
        self._connection, self._rig, self._troupe, self._config = connection, rig, troupe, config
        self._camera, self._poses, self._lit = camera, poses, lit

    def appear(self) -> None:
        """New actors stand in the street, walkers on their feet, until they are in the server's images."""
        if self._poses:
            self._connection.apply(self._troupe.moves(self._poses))
            for _ in range(self._config.appear_ticks):
                self._connection.tick()

    def alone(self, layer: Sequence[int], wide: bool) -> Take:
        """These actors high over the ground where the picture has them, the camera with them; the wide one if asked."""
        names = ("instance", "wide") if wide else ("instance",)
        self._rig.listen(names)
        moves = self._troupe.moves(self._poses, alone=layer)
        self._connection.apply([*moves, *self._rig.moves(lifted(self._camera))])
        return Take(tuple(layer), wide, self._rig.shoot(names))

    def street(self) -> Take:
        """All actors in the street, the cameras before it, the world settled."""
        self._rig.listen(PICTURE)
        commands = [*self._troupe.moves(self._poses), *self._rig.moves(self._camera)]
        if self._lit is not None:
            commands += self._troupe.lights(self._lit)
        self._connection.apply(commands)
        for _ in range(self._config.warm_up_ticks):
            self._connection.tick()
        return Take(None, False, self._rig.shoot(PICTURE))

    def images(self, take: Take) -> Images | None:
        """By camera; None where one had been subscribed too late for its first frame: then take it `again`.

        Raises CaptureFailed for any other image that does not come. Takes are to be fetched in their order.
        """
        try:
            return self._rig.images(take.shot, self._config.image_timeout_s)
        except ImageLost as lost:
            if not lost.fresh:
                raise
            return None

    def again(self, take: Take) -> Images:
        """The same take, ticked anew, when all others have been fetched. Raises CaptureFailed."""
        log.info("%s: a picture is taken again, its camera was heard too late", self._connection.address)
        anew = self.street() if take.layer is None else self.alone(take.layer, take.wide)
        return self._rig.images(anew.shot._replace(fresh=False), self._config.image_timeout_s)

    def end(self) -> None:
        """No camera listens until the next scene's actors have appeared."""
        self._rig.stop()
