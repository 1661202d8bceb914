"""The pipeline's steps: thin Prefect tasks around plain functions, and what is written where in a run's folder."""
