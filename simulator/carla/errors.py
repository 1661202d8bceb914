"""What can go wrong with a CARLA server that is there and of the right version."""


class CaptureFailed(Exception):
    """A picture that was not got, though another try may get it: a time-out, a lost image, an actor not spawned.

    What the user must mend is an InputError, and what CARLA cannot show a NotRecreatable.
    """
