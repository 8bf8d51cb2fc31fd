"""What an answer says of the next page."""

from __future__ import annotations

from typing import Any

import jmespath

from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Outcome


def next_tokens(call: Call, page: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the next page; empty where this was the last (a token on `more: false` is no page).

    Raises GapError where AWS says that there is more, and not how to get it.
    """
    if not call.input_tokens:
        return {}
    more = jmespath.search(call.more, page) if call.more else None
    if call.more and not more:
        return {}
    found = (jmespath.search(path, page) for path in call.output_tokens)
    tokens = {name: value for name, value in zip(call.input_tokens, found, strict=True) if value}
    if more and not tokens:
        raise GapError(Outcome.TRUNCATED, "NoToken", f"{call.api} said that there is more, and gave no token for it")
    return tokens
