"""A backend that renders with any server of a pool and survives what CARLA's client and servers do.

Each scene is captured in a process of its own making (capture_process.py). A capture that fails is tried again with a
new client on the same server, then on another; a server that is gone is restarted or waited for. Every loss is written
down. So a scene is rendered once, or an error says what happened: none is lost.
"""

import logging
import threading
import time
from pathlib import Path

from dataset.errors import InputError
from simulator.backend import Render
from simulator.carla.capture_process import CaptureProcess, Lost
from simulator.carla.config import CarlaConfig
from simulator.carla.losses import Losses
from simulator.carla.pool import POLL_S, Claim, Pool, Server, servers_of
from simulator.carla.probe import answers, tells_version, wait_until_it_answers
from simulator.carla.restart import restart
from simulator.carla.supervision import SupervisionConfig
from simulator.scene import Scene

LOG = logging.getLogger(__name__)
CLIENT = ("simulator.carla.backend", "CarlaBackend")
IDLE_S = 1.0  # a server that is not used for so long is free for who waits for one


class SupervisedCarla:
    """A `simulator.backend.Backend`. Holds one server of the pool at a time, for some scenes; safe in one thread."""

    def __init__(
        self,
        address: str,
        config: CarlaConfig | None = None,
        supervision: SupervisionConfig | None = None,
        *,
        losses: Path | None = None,
        client: tuple[str, str] = CLIENT,
        locks: Path | None = None,
    ):
        """`address`: 'carla://host:2000,host:2002'. `losses`: file that they are written to.

        `client` is the module and name of the backend that a capture process makes from (host, port, config).
        Nothing is connected to before the first scene.
        """
        self._address = address
        self._pool = Pool(servers_of(address), locks)
        self._config, self._supervision = config or CarlaConfig(), supervision or SupervisionConfig()
        self._losses = Losses(losses)
        self._client = client
        self._claim: Claim | None = None
        self._capture: CaptureProcess | None = None
        self._last: Server | None = None
        self._scenes_of_claim = 0
        self._used_s = time.monotonic()
        self._busy, self._closed = threading.Lock(), threading.Event()
        threading.Thread(target=self._hand_over_when_idle, name="carla idle", daemon=True).start()

    def render(self, scene: Scene) -> Render:
        """The scene's render, by whichever server gives it first.

        Raises NotRecreatable where CARLA cannot show the scene, InputError for what the user must mend: also when
        all tries failed, or no server could be had in time.
        """
        with self._busy:
            try:
                return self._render(scene)
            finally:
                self._used_s = time.monotonic()

    def close(self) -> None:
        """Ends the client, which puts its server back as it was, and frees the server."""
        self._closed.set()
        with self._busy:
            self._let_go()

    def _render(self, scene: Scene) -> Render:
        failures: list[tuple[Server, Lost]] = []
        while len(failures) < self._supervision.tries:
            claim = self._server(scene)
            try:
                capture = self._client_of(claim)
                try:
                    render = capture.render(scene, self._limit_s(scene))
                finally:
                    claim.add_map_loads(capture.new_map_loads())
            except Lost as lost:
                again = [server for server, _ in failures].count(claim.server)
                failures.append((claim.server, lost))
                self._recover(claim, lost, scene, again=again % 2 == 1)
                continue
            except InputError:
                # A map that is not there is the user's to mend; a server that died in the middle of it is not.
                if answers(claim.server):
                    raise
                lost = Lost("gone", "the server no longer answers")
                failures.append((claim.server, lost))
                self._recover(claim, lost, scene, again=True)
                continue
            self._scenes_of_claim += 1
            return render
        told = "; ".join(f"{server} {lost}" for server, lost in failures)
        raise InputError(
            f"scene {scene.scene_id} on {self._address}",
            f"{len(failures)} captures failed: {told}",
            "look at the servers' logs; restart them, or raise simulator.supervision.tries",
        )

    def _limit_s(self, scene: Scene) -> float:
        may_load = bool(self._config.maps) or scene.place.map is not None
        return self._supervision.scene_timeout_s + (self._config.load_timeout_s if may_load else 0.0)

    def _server(self, scene: Scene) -> Claim:
        """A server that answers, held by us. Raises InputError when there is none in time."""
        ends_s = time.monotonic() + self._supervision.server_timeout_s
        if self._scenes_of_claim >= self._supervision.scenes_a_claim:
            self._hand_over()
        while True:
            claim = self._claim
            if claim is None:
                patience_s = max(ends_s - time.monotonic(), 0.0)
                claim = self._claim = self._pool.claim(patience_s, self._last)
                self._last, self._scenes_of_claim = claim.server, 0
                if not answers(claim.server):
                    self._revive(claim, scene.scene_id)
                    continue
            worn = claim.map_loads >= self._supervision.maps_before_restart
            if not worn or self._supervision.restart_command is None:
                return claim
            self._end_capture()
            self._restart(claim)

    def _client_of(self, claim: Claim) -> CaptureProcess:
        if self._capture is None:
            arguments = (claim.server.host, claim.server.port, self._config)
            seconds = self._config.connect_timeout_s + self._config.load_timeout_s
            self._capture = CaptureProcess(self._client, arguments, seconds, claim.lock_fd)
        return self._capture

    def _recover(self, claim: Claim, lost: Lost, scene: Scene, again: bool) -> None:
        """After a loss: a new client; where it is the second one on a server, another server."""
        self._losses.add(claim.server, lost.kind, lost.what, scene.scene_id)
        self._end_capture(orderly=lost.kind not in ("stalled", "crashed"))
        if not answers(claim.server):
            self._revive(claim, scene.scene_id)
        elif again:
            self._leave_alone(claim, str(lost))

    def _revive(self, claim: Claim, scene_id: str) -> None:
        """A server that is gone: restarted where we may, else left to whoever restarts it.

        One that only loads its map is waited for.
        """
        if tells_version(claim.server) and wait_until_it_answers(claim.server, self._config.connect_timeout_s):
            return
        self._losses.add(claim.server, "gone", "the server does not answer", scene_id)
        if self._supervision.restart_command is None:
            self._leave_alone(claim, "it does not answer")
        else:
            self._restart(claim)

    def _restart(self, claim: Claim) -> None:
        command = self._supervision.restart_command
        assert command is not None
        try:
            answered = restart(claim.server, command, self._supervision.server_timeout_s)
        except BaseException:  # the user's to mend; nobody is served by a dead server that we hold
            self._leave_alone(claim, "its restart failed")
            raise
        if answered:
            claim.restarted()
        else:
            self._leave_alone(claim, "it did not answer after its restart")

    def _leave_alone(self, claim: Claim, why: str) -> None:
        claim.rest(self._supervision.rest_s, why)
        self._let_go()

    def _end_capture(self, orderly: bool = True) -> None:
        if self._capture is not None:
            if orderly:
                self._capture.close()
            else:
                self._capture.kill()
            self._capture = None

    def _let_go(self) -> None:
        """The client first: the server must be free of it before another comes."""
        self._end_capture()
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def _hand_over(self) -> None:
        """Give the server to a client that waits for one, if there is any."""
        self._scenes_of_claim = 0
        if self._claim is not None and self._pool.wanted(self._claim.server):
            self._let_go()
            time.sleep(2 * POLL_S)  # or we would be the first to take it again

    def _hand_over_when_idle(self) -> None:
        told = False
        while not self._closed.wait(IDLE_S / 4):
            if time.monotonic() - self._used_s > IDLE_S and self._busy.acquire(blocking=False):
                try:
                    self._hand_over()
                    told = False
                except OSError as error:  # too many open files, a full disk: it may pass, and others wait for us
                    if not told:
                        LOG.warning("%s: the idle server cannot be handed over now (%s)", self._address, error)
                    told = True
                finally:
                    self._busy.release()
