"""botocore's own debug log has request headers, signatures and whole answers in it: what it tells of them is dropped.

A program that uses this package may have any logging; our log is made of `scanner.aws.traces`, and needs none of this.
"""

from __future__ import annotations

import logging

# Who logs headers, bodies, signing strings, parameters or credentials, all of it at DEBUG.
LOGGERS = (
    "botocore.auth",
    "botocore.awsrequest",
    "botocore.client",
    "botocore.credentials",
    "botocore.endpoint",
    "botocore.endpoint_provider",
    "botocore.handlers",
    "botocore.hooks",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.regions",
    "botocore.retryhandler",
    "botocore.signers",
    "botocore.tokens",
    "botocore.utils",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)


def hush() -> None:
    """From now on no logger of this process, whatever its level and handlers, is told a secret by botocore."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if _is_harmless not in logger.filters:
            logger.addFilter(_is_harmless)


def _is_harmless(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None  # a traceback's last line is the error, with its URL
    return record.levelno >= logging.WARNING
