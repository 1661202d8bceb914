"""A CARLA 0.9.16 server without Unreal: an unmodified carla client connects, spawns, ticks and receives images.

    python -m simulator.carla.loopback --port 2000 --maps DIR_OF_XODR --map Town01

Maps are OpenDRIVE files; images are rendered by the embedded simulator. Without --maps there is one straight road.
Prints `listening on HOST:PORT` when it answers; SIGTERM or Ctrl-C ends it.

Faults can be had at random (the options below; the same seed gives the same faults for the same events) or while it
runs: `python -m simulator.carla.loopback.control PORT KIND AMOUNT`, or the RPC function `loopback_fault(kind, amount)`.
"""

import argparse
import asyncio
import dataclasses
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dataset.errors import InputError
from simulator.carla.loopback.episode import Episode
from simulator.carla.loopback.faults import KINDS, FaultRates, Faults
from simulator.carla.loopback.maps import Maps
from simulator.carla.loopback.server import Server

RATE_HELP = {
    "late_images": "chance that an image arrives --late-s late",
    "dropped_images": "chance that an image is never sent",
    "reordered_images": "chance that an image is sent after its successor",
    "spawn_failures": "chance that a spawn fails as by a collision",
    "stall": "chance by frame that nothing is answered for --stall-s",
    "death": "chance by frame that the process ends as if killed",
    "late_s": "seconds that a late image is late",
    "stall_s": "seconds that a random stall lasts",
    "loading_s": "seconds after the start in which connections are refused, as by a server that is loading",
    "unready_s": "seconds from then on in which the version is told but no world is there",
    "version": "the version that the server tells",
}

if TYPE_CHECKING:
    from simulator.carla.loopback.painter import Painter
    from simulator.carla.loopback.town import Town


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.carla.loopback",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="faults while it runs: " + "; ".join(f"{kind}: {what}" for kind, what in KINDS.items()),
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    parser.add_argument("--port", type=int, default=2000, help="of RPC; streams take the next one; 0 finds a free pair")
    parser.add_argument("--maps", type=Path, help="folder of OpenDRIVE files, one a town")
    parser.add_argument("--map", help="map to start with (default: the first)")
    parser.add_argument("--seed", type=int, default=0, help="of the random faults")
    parser.add_argument("--device", default="cpu", help="where images are rendered: cpu or cuda (default %(default)s)")
    parser.add_argument("--first-actor-id", type=int, default=1, help="near 65536 shows what 16-bit instance ids do")
    faults = parser.add_argument_group("faults")
    for f in dataclasses.fields(FaultRates):
        option = f"--{f.name.replace('_', '-')}"
        faults.add_argument(option, type=type(f.default), default=f.default, help=f"{RATE_HELP[f.name]} (%(default)s)")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""

    def painter(episode: Episode) -> "Painter":
        from simulator.carla.loopback.painter import Painter

        return Painter(episode.town, device=options.device)

    def town(opendrive: str, name: str) -> "Town":
        from simulator.carla.loopback.town import Town  # late: it takes seconds, wrong options show at once

        made = Town(opendrive, name)
        made.ground_m(0.0, 0.0)  # builds its surfaces now, while the client waits for the map anyway
        return made

    maps = Maps(options.maps)
    rates = FaultRates(**{f.name: getattr(options, f.name) for f in dataclasses.fields(FaultRates)})
    server = Server(
        host=options.host,
        port=options.port,
        maps=maps,
        map_name=options.map or maps.names[0],
        faults=Faults(rates, options.seed),
        make_town=town,
        make_painter=painter,
        first_actor_id=options.first_actor_id,
    )
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await server.run(lambda: print(f"listening on {options.host}:{server.port}", flush=True), stop)


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(arguments()))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
