"""What can go wrong with a CARLA server that is there and of the right version."""


class ForeignError(Exception):
    """An error of the capture process that cannot be sent as what it is: a mistake of ours, not CARLA's."""


class CaptureFailed(Exception):
    """A picture that was not got, though another try may get it: a time-out, a lost image, an actor not spawned.

    `kind` is what supervision counts, e.g. 'image lost', 'spawn', 'time-out'.
    What the user must mend is an InputError, and what CARLA cannot show a NotRecreatable.
    """

    def __init__(self, what: str, kind: str = "capture"):
        self.kind = kind
        super().__init__(what, kind)  # plain args, so that it survives pickling between processes

    def __str__(self) -> str:
        return self.args[0]
