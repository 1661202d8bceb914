"""The DAGs, the command line and the deployments."""
