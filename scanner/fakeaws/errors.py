"""What the fake AWS refuses, as AWS words it."""

from __future__ import annotations


class FakeError(Exception):
    """An error that the fake answers with: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message
