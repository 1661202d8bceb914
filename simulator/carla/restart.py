"""Restart a CARLA server by the user's own command: it grows with every map it loads, and it may die.

`docker restart carla-{port}`, `systemctl restart carla@{port}`, a script over ssh: whatever ends the old server and
starts the new one, and returns.
"""

import shlex
import subprocess
import tempfile

from dataset.errors import InputError
from simulator.carla.pool import Server
from simulator.carla.probe import wait_until_it_answers


def restart(server: Server, command: str, patience_s: float) -> bool:
    """Run the command with {host} and {port} filled in, without a shell, and wait; whether the server answers then.

    Raises InputError when the command does not exist, fails or does not return.
    """
    words = [word.replace("{host}", server.host).replace("{port}", str(server.port)) for word in shlex.split(command)]
    # A file and not a pipe: a server that the command leaves running would keep the pipe open.
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=patience_s, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            output.seek(0)
            said = output.read()[-300:].decode(errors="replace").strip().replace("\n", " | ")
            raise InputError(
                f"simulator.supervision.restart_command {shlex.join(words)!r}",
                f"{error}{f'; it said: {said}' if said else ''}",
                "make it end the server, start it anew and return 0",
            ) from error
    return wait_until_it_answers(server, patience_s)
