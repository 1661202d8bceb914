"""How captures are watched over: what has to hold for a try, for a server, for a pool."""

from pydantic import BaseModel, ConfigDict, Field


class SupervisionConfig(BaseModel):
    """When a capture is given up and tried again; none of it changes a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scene_timeout_s: float = Field(
        default=60.0, gt=0, description="A capture that takes longer is killed; loading a map has its own time beside."
    )
    tries: int = Field(
        default=6, ge=1, description="Captures of one scene that may fail, two on each server, before the run stops."
    )
    rest_s: float = Field(
        default=15.0, ge=0, description="How long a server that failed twice, or is gone, is left alone."
    )
    server_timeout_s: float = Field(
        default=600.0, gt=0, description="How long a server is waited for: held by others, resting, starting, gone."
    )
    scenes_a_claim: int = Field(
        default=16, ge=1, description="After so many scenes a server is handed to another client that waits for one."
    )
    restart_command: str | None = Field(
        default=None,
        description="Ends and starts a server, e.g. 'docker restart carla-{port}' ({host} and {port} are filled in, no "
        "shell; it runs where the flow runs), when it is gone or has loaded maps_before_restart maps. None: servers "
        "are waited for.",
    )
    maps_before_restart: int = Field(
        default=20, ge=1, description="Maps a server may load before it is restarted: its memory grows with each."
    )
