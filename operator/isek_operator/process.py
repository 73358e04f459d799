"""One operator process, from its settings to its exit code."""

import asyncio
import gc
import logging
import sys

import uvloop
from isek.api.schema import explain
from pydantic import ValidationError

from isek_operator import assembly, logs, tracing
from isek_operator.cluster.credentials import Credentials, NoClusterError
from isek_operator.decide.dependents import dependents
from isek_operator.leadership import LeadershipDeniedError, LeadershipLostError
from isek_operator.reconcile.decisions import decisions
from isek_operator.settings import PREFIX, OperatorSettings

YOUNG_OBJECTS = 10_000
"""How many there may be before a collection: a page of a list has more than Python's 700, and they are no garbage."""

logger = logging.getLogger(__name__)


def run() -> int:
    """Run the operator until it is told to end (SIGTERM, SIGINT). Returns the exit code."""
    try:
        settings = OperatorSettings()
        logs.set_up(settings.log_format, settings.log_level)
        tracing.set_up()
        gc.freeze()  # what was imported stays: no collection needs to look at it again
        gc.set_threshold(YOUNG_OBJECTS, 10, 10)
        gc.enable()
        uvloop.run(assembly.run(settings, Credentials.find(), decisions(settings), dependents))
    except ValidationError as error:
        for complaint in explain(error):
            variable, _, what = complaint.partition(": ")
            sys.stderr.write(f"isek-operator: {PREFIX}{variable.upper()}: {what}\n")
        return 1
    except (NoClusterError, assembly.StartError, LeadershipLostError, LeadershipDeniedError) as error:
        logger.error("ending: %s", error)  # noqa: TRY400  (a traceback would say nothing)
        return 1
    except asyncio.CancelledError:
        logger.info("stopped")
    finally:
        tracing.tracer().close()
    return 0
