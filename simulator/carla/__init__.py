"""CARLA as a simulator of scenes: the client (this folder), and a server to test it against (`loopback/`)."""
