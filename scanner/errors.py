"""The exception tree, grouped by who must act. Every class survives pickling; the exit code is part of the class."""

from __future__ import annotations


class ScannerError(Exception):
    """Base of all errors that aws-scanner raises on purpose; `exit_code` is what the program answers with."""

    exit_code = 70


class ProfileError(ScannerError):
    """The operator must mend a profile, an environment variable or a command line. `problems` are whole messages."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class CatalogError(ScannerError):
    """Whoever edits the catalog must act: an entry does not fit botocore's models. `problems` are whole messages."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class NoCredentialsError(ScannerError):
    """No account of the profile has usable credentials; nothing was scanned."""

    exit_code = 4


class SnapshotError(ScannerError):
    """A snapshot, shard or report folder cannot be read or written; the message says which and why."""

    exit_code = 2


class ReadOnlyViolation(ScannerError):
    """A defect in the program: an operation outside the catalog's allow-list was about to be called."""


class GapError(ScannerError):
    """A call that ended in a gap. Args: outcome value, error code, one-line message; caught at the cell's boundary."""

    def __init__(self, outcome: str, code: str, message: str, refusal: tuple[str, str] | None = None) -> None:
        super().__init__(outcome, code, message)
        self.outcome = outcome
        self.code = code
        self.message = message
        self.refusal = refusal  # of a denial by AWS: the action that it named, and what forbids it (see `aws.denials`)

    def __str__(self) -> str:
        return f"{self.outcome}: {self.code}: {self.message}"


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived. `signum` gives exit code 130, 143 or 129.

    No Exception, as KeyboardInterrupt is none: a log sink that forgives every Exception must not swallow it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        self.exit_code = 128 + signum


class Stopped(ScannerError):
    """A scan was interrupted with so many finished shards that its reports are written later, by `report`."""

    def __init__(self, folder: object, signum: int) -> None:
        super().__init__(folder, signum)
        self.folder = folder
        self.exit_code = 128 + signum

    def __str__(self) -> str:
        kept = f"what was finished is kept, its reports are written by: aws-scanner report {self.folder}"
        return f"stopped; {kept}; `aws-scanner scan --resume` with the same profile and options goes on with it"
