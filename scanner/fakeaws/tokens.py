"""Tokens of pages: where the next one begins, and the query that it belongs to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from scanner.catalog.spec import Call
from scanner.fakeaws.errors import FakeError


def _query_mark(call: Call, params: Mapping[str, Any]) -> str:
    own = {name: value for name, value in params.items() if name not in (*call.input_tokens, call.size_param)}
    return hashlib.sha256(orjson.dumps([call.api, own], option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


def token_of(offset: int, call: Call, params: Mapping[str, Any]) -> str:
    """The token of the page that begins at an item, good for this query alone."""
    return base64.urlsafe_b64encode(f"{offset}.{_query_mark(call, params)}".encode()).decode().rstrip("=")


def offset_of(token: str, call: Call, params: Mapping[str, Any]) -> int:
    """Where the page of a token begins. Raises FakeError for a token of another query."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        offset, mark = text.split(".")
        if mark == _query_mark(call, params):
            return int(offset)
    except ValueError:
        pass
    raise FakeError(400, "InvalidNextToken", "the token is not one of this query")
