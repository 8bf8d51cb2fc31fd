"""The questions of one resource type: a call per item or per batch, side by side; what is not answered is a gap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from scanner.aws.calls import Absent, Lane, Page
from scanner.catalog.spec import Call, ResourceType
from scanner.collectors.ledger import Ledger
from scanner.collectors.values import Item, fill, fill_params, getter, text_of
from scanner.errors import GapError
from scanner.model import Outcome, Unit


@dataclass(slots=True)
class Work:
    """One item on its way to a record: what AWS said, its tags and extras as they arrive; None is "not read"."""

    item: Item
    parent: Item | None
    arn: str | None = None
    id: str | None = None
    tags: dict[str, str] | None = None
    is_described: bool = True  # False: its `get` was not answered, and what the list told is all
    extras: dict[str, Any] = field(default_factory=dict)


class Questions:
    """Asks the calls of one type about its items, and keeps the ledger of them."""

    def __init__(self, unit: Unit, kind: ResourceType, lane: Lane, ledger: Ledger, items: Executor) -> None:
        self._kind, self._lane, self._ledger, self._items = kind, lane, ledger, items
        self.reserved = {"partition": unit.account.partition, "region": unit.region, "account": unit.account.id}
        self.gap: GapError | None = None  # why the `get` of some items was not answered

    def described(self, call: Call, works: list[Work]) -> list[Work]:
        """The items with what `get` says of them; without it where that is not answered and the list told enough."""
        if call.batch:
            return self._described_together(call, works)
        for work, answer in zip(works, self.each(call, works), strict=True):
            if isinstance(answer, dict):
                work.item = {**work.item, **answer}
            work.is_described = not isinstance(answer, GapError)
        return works if self._kind.get_is_extra else [work for work in works if len(work.item) > 1]

    def _described_together(self, call: Call, works: list[Work]) -> list[Work]:
        answers, is_whole = self._asked(call, works)
        if not call.key:
            found = [Work(item, works[0].parent) for item in answers]
            return found if is_whole else [*found, *self._seen(works, found)]
        by_key = {str(getter(call.key)(answer)): answer for answer in answers}
        for work in works:
            answer = by_key.get(self.batch_value(call, work))
            work.is_described = answer is not None
            work.item = {**work.item, **(answer or {})}
        return [work for work in works if work.is_described or not is_whole]

    def _seen(self, works: list[Work], described: list[Work]) -> list[Work]:
        """What the list named by ARN and nobody described: known to be there, and no more."""
        known = {text_of(self._kind.arn, self.env(work)) for work in described}
        seen = [work for work in works if arn_alone(work) not in {None, *known}]
        for work in seen:
            work.is_described = False
        return seen

    def extras(self, works: list[Work]) -> None:
        """Fill `extras` by the `with` calls of all items at once: six questions of a bucket go together."""
        asked = [(name, self._items.map(self._asker(call), works)) for name, call in self._kind.extra.items()]
        for name, answers in asked:
            self._note_answers(self._kind.extra[name], found := list(answers))
            for work, answer in zip(works, found, strict=True):
                if not isinstance(answer, GapError):
                    work.extras[name] = answer

    def batches(self, call: Call, works: list[Work]) -> list[Any]:
        """The answers of a batched call for any number of items, asked side by side."""
        parts = [works[at : at + call.batch] for at in range(0, len(works), call.batch)]
        asked = self._items.map(lambda part: self.batch(call, part), parts)
        return [one for answers in asked for one in answers]

    def each(self, call: Call, works: list[Work]) -> list[Any]:
        """The answer of a one-item call for each item, asked side by side; a GapError stands for what is not known."""
        answers = list(self._items.map(self._asker(call), works))
        self._note_answers(call, answers)
        return answers

    def _asker(self, call: Call) -> Callable[[Work], Any]:
        return lambda work: self._one(call, work)

    def _note_answers(self, call: Call, answers: list[Any]) -> None:
        answered = sum(not isinstance(answer, GapError) for answer in answers)
        if answered or not answers:
            self._ledger.answered(self._kind.resource_type, call.operation, answered)

    def _one(self, call: Call, work: Work) -> Any:
        params = fill_params(call.params, self.env(work))
        answers: list[Any] = []
        try:
            for page in self._lane.pages(call, params):
                answers.append(taken(call, page))
        except Absent:
            return None
        except GapError as gap:
            self._ledger.gap(self._kind.resource_type, call.operation, gap)
            return gap
        return joined(answers)

    def batch(self, call: Call, works: list[Work]) -> list[Any]:
        """The answers of a batched call; what was asked for and not answered becomes a gap, never silence."""
        return self._asked(call, works)[0]

    def _asked(self, call: Call, works: list[Work]) -> tuple[list[Any], bool]:
        """The answers of a batched call, and whether AWS answered it to its end."""
        params = fill_params({k: v for k, v in call.params.items() if k != call.batch_param}, self.env(works[0]))
        params[call.batch_param] = [self.batch_value(call, work) for work in works]
        answers: list[Any] = []
        failed: list[Any] = []
        try:
            for page in self._lane.pages(call, params):
                answers.extend(getter(call.out)(page) or [])
                failed.extend((getter(call.failed)(page) or []) if call.failed else [])
        except Absent:
            return [], True
        except GapError as gap:
            self._note_get_gap(call, gap)
            return answers, False
        self._ledger.answered(self._kind.resource_type, call.operation, len(answers))
        missing = len(works) - len(answers)
        if missing > 0 or failed:
            message = f"{max(missing, len(failed))} of {len(works)} asked for were not answered"
            self._note_get_gap(call, GapError(Outcome.TRUNCATED, "PartialAnswer", message))
        return answers, True

    def _note_get_gap(self, call: Call, gap: GapError) -> None:
        if call is self._kind.get:
            self.gap = self.gap or gap
        self._ledger.gap(self._kind.resource_type, call.operation, gap)

    def batch_value(self, call: Call, work: Work) -> str:
        """What stands for an item in a batch, and joins the answer back to it."""
        return str(fill(call.params[call.batch_param][0], self.env(work)))

    def env(self, work: Work) -> dict[str, Any]:
        """What the catalog's holes and paths see of an item."""
        env = {**work.item, **self.reserved, "parent": work.parent}
        if "item" not in work.item:
            env["item"] = work.item
        if work.id is not None:
            env["id"] = work.id
        if work.arn is not None:
            env["arn"] = work.arn
        return env


def arn_alone(work: Work) -> str | None:
    """The ARN of an item of which nothing else is known."""
    item = work.item.get("item")
    return item if len(work.item) == 1 and isinstance(item, str) and item.startswith("arn:") else None


def taken(call: Call, page: Page) -> Any:
    """What a one-item call took from its answer: `take` of `out`."""
    return getter(call.take)(getter(call.out)(page))


def joined(answers: list[Any]) -> Any:
    """The pages of a one-item call as one value: lists and maps are joined, else the first is it."""
    if len(answers) > 1 and all(isinstance(answer, list) for answer in answers):
        return [one for answer in answers for one in answer]
    if len(answers) > 1 and all(isinstance(answer, Mapping) for answer in answers):
        return {name: value for answer in answers for name, value in answer.items()}
    return answers[0] if answers else None
