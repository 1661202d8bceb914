"""One line to the console and, inside a Prefect run, to that run's log."""

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger


def say(message: object) -> None:
    try:
        logger = get_run_logger()
    except MissingContextError:
        logger = get_logger("hardcase")
    logger.info(str(message))
