"""A CARLA 0.9.16 server for tests and CI: the real wire protocol, pictures by the embedded simulator."""
