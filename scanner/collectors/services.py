"""Follows the catalog: list, get, tags, extras of one type, page by page, into records. No service is special."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from scanner.aws.calls import Absent, Lane, Page
from scanner.aws.timestamps import iso_utc
from scanner.catalog.arns import resource_id
from scanner.catalog.spec import Call, ResourceType
from scanner.collectors.filters import matcher
from scanner.collectors.ledger import Ledger
from scanner.collectors.records import record_of
from scanner.collectors.values import REDACTED, Item, fill, fill_params, getter, scrubbed, tags_of, text_of
from scanner.errors import GapError
from scanner.model import Outcome, Unit

_CHUNK = 100  # items that get their extra calls together, so that pages stream


@dataclass(slots=True)
class _Work:
    """One item on its way to a record: what AWS said, its tags and extras as they arrive; None is "not read"."""

    item: Item
    parent: Item | None
    arn: str | None = None
    id: str | None = None
    tags: dict[str, str] | None = None
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pools:
    """Threads for calls side by side: per parent and, below them, per item. Tasks in `items` wait for no other."""

    parents: Executor
    items: Executor


class TypeScan:
    """One resource type in one unit. `run` yields records and leaves `parents` for the types below it."""

    def __init__(
        self, unit: Unit, kind: ResourceType, lane: Lane, ledger: Ledger, pools: Pools, *, keep_parents: bool = False
    ) -> None:
        self._unit, self._kind, self._lane, self._ledger, self._pools = unit, kind, lane, ledger, pools
        self._reserved = {"partition": unit.account.partition, "region": unit.region, "account": unit.account.id}
        self._enrich = any_glob(unit.enrich, kind)
        self._matches = matcher(unit.tags) if unit.tags else None
        tags_need_get = bool(unit.tags) and kind.tags_call is None
        self._describes = kind.get is not None and (not kind.get_is_extra or self._enrich or tags_need_get)
        self._keep_parents = keep_parents
        self.parents: list[Item] = []
        self.gap: GapError | None = None  # why not all items are known

    def run(self, parents: Sequence[Item] = (), parent_gap: GapError | None = None) -> Iterator[dict[str, Any]]:
        """Records of this type. Gaps go to the ledger; nothing is raised for what AWS did not answer."""
        if parent_gap:
            self._note_list_gap(
                GapError(parent_gap.outcome, parent_gap.code, f"its parent's list: {parent_gap.message}")
            )
        for works in self._gathered(parents):
            yield from self._finished(works)
        self._close()

    def list_only(self, parents: Sequence[Item] = ()) -> None:
        """Fill `parents` for the types below, when this type itself is not asked for: no records, no extras."""
        for works in self._gathered(parents):
            self._keep(works)

    def _finished(self, works: list[_Work]) -> Iterator[dict[str, Any]]:
        """Tags, filter and extras of a chunk of items, and the records they become."""
        self._keep(works)
        self._read_tags(works)
        if self._matches:
            works = [work for work in works if work.tags is not None and self._matches(work.tags)]
        self._read_extras(works)
        for work in works:
            yield self._record(work)

    def _gathered(self, parents: Sequence[Item]) -> Iterator[list[_Work]]:
        """Items in chunks; those of many parents are listed side by side and share chunks, so that batches fill."""
        if not self._kind.of_parent:
            for parent in self._kind.of_literals or (None,):
                yield from self._chunks(parent)
            return
        held: list[_Work] = []
        for start in range(0, len(parents), _CHUNK):
            asked = self._pools.parents.map(lambda one: list(self._chunks(one)), parents[start : start + _CHUNK])
            for works in (chunk for chunks in asked for chunk in chunks):
                held.extend(works)
                while len(held) >= _CHUNK:
                    yield held[:_CHUNK]
                    held = held[_CHUNK:]
        if held:
            yield held

    def _keep(self, works: list[_Work]) -> None:
        if self._keep_parents:
            self.parents.extend(
                {**work.item, "arn": work.arn, "id": work.id, "name": text_of(self._kind.name, self._env(work))}
                for work in works
            )

    def _chunks(self, parent: Item | str | None) -> Iterator[list[_Work]]:
        """Items of one parent, described and identified, in chunks that fit one `get`."""
        size = (self._kind.get.batch if self._kind.get else 0) or _CHUNK
        held: list[_Work] = []
        for item in self._list(parent):
            held.append(_Work(item, parent if isinstance(parent, dict) else None))
            if len(held) >= size:
                yield self._identified(self._described(held))
                held = []
        if held:
            yield self._identified(self._described(held))

    def _list(self, parent: Item | str | None) -> Iterator[Item]:
        call = self._kind.list
        params = fill_params(call.params, {**self._reserved, "parent": parent})
        count = 0
        try:
            for page in self._lane.pages(call, params):
                for raw in listed(call, page):
                    count += 1
                    yield {"item": raw} if not isinstance(raw, dict) else raw
        except Absent:
            pass
        except GapError as gap:
            self._note_list_gap(gap)
        self._ledger.answered(self._kind.resource_type, call.operation, count)

    def _note_list_gap(self, gap: GapError) -> None:
        self.gap = self.gap or gap
        self._ledger.gap(self._kind.resource_type, self._kind.list.operation, gap)

    def _described(self, works: list[_Work]) -> list[_Work]:
        call = self._kind.get
        if call is None or not self._describes:
            return works
        if call.batch:
            return self._described_together(call, works)
        for work, answer in zip(works, self._each(call, works), strict=True):
            if isinstance(answer, dict):
                work.item = {**work.item, **answer}
        return works if self._kind.get_is_extra else [work for work in works if len(work.item) > 1]

    def _described_together(self, call: Call, works: list[_Work]) -> list[_Work]:
        answers = self._batch(call, works)
        if not call.key:
            return [_Work(item, works[0].parent) for item in answers]
        by_key = {str(getter(call.key)(answer)): answer for answer in answers}
        kept = []
        for work in works:
            answer = by_key.get(self._batch_value(call, work))
            if answer is not None:
                work.item = {**work.item, **answer}
                kept.append(work)
        return kept

    def _identified(self, works: list[_Work]) -> list[_Work]:
        kept = []
        for work in works:
            env = self._env(work)
            if self._kind.where and not getter(self._kind.where)(env):
                continue
            work.id = text_of(self._kind.id, env)
            work.arn = text_of(self._kind.arn, {**env, "id": work.id})
            if work.id is None and work.arn:
                work.id = resource_id(work.arn, self._kind.kind)
            if work.id is None and work.arn is None:
                gap = GapError(Outcome.MALFORMED, "NoIdentity", "an item came without its id and ARN")
                self._ledger.gap(self._kind.resource_type, self._kind.list.operation, gap)
                continue
            kept.append(work)
        return kept

    def _read_tags(self, works: list[_Work]) -> None:
        kind = self._kind
        if kind.tags_call is None:
            is_whole = kind.get is None or self._describes
            for work in works:
                raw = getter(kind.tags)(work.item) if kind.tags else None
                work.tags = tags_of(raw) if raw is not None or (is_whole and kind.tags) else None
            return
        if not (self._enrich or self._unit.tags):
            return
        call = kind.tags_call
        if call.batch:
            take, parts = getter(call.take), [works[at : at + call.batch] for at in range(0, len(works), call.batch)]
            asked = self._pools.items.map(lambda part: self._batch(call, part), parts)
            found = {str(getter(call.key)(one)): tags_of(take(one)) for answers in asked for one in answers}
            for work in works:
                work.tags = found.get(self._batch_value(call, work))
            return
        for work, answer in zip(works, self._each(call, works), strict=True):
            work.tags = None if isinstance(answer, GapError) else tags_of(answer)

    def _read_extras(self, works: list[_Work]) -> None:
        if not self._enrich:
            return
        # All fields of all items at once: a bucket's six questions do not wait for one another.
        asked = [(name, self._pools.items.map(self._asker(call), works)) for name, call in self._kind.extra.items()]
        for name, answers in asked:
            self._note_answers(self._kind.extra[name], found := list(answers))
            for work, answer in zip(works, found, strict=True):
                if not isinstance(answer, GapError):
                    work.extras[name] = answer

    def _each(self, call: Call, works: list[_Work]) -> list[Any]:
        """The answer of a one-item call for each item, asked side by side; a GapError stands for what is not known."""
        answers = list(self._pools.items.map(self._asker(call), works))
        self._note_answers(call, answers)
        return answers

    def _asker(self, call: Call) -> Callable[[_Work], Any]:
        return lambda work: self._one(call, work)

    def _note_answers(self, call: Call, answers: list[Any]) -> None:
        answered = sum(not isinstance(answer, GapError) for answer in answers)
        if answered or not answers:
            self._ledger.answered(self._kind.resource_type, call.operation, answered)

    def _one(self, call: Call, work: _Work) -> Any:
        params = fill_params(call.params, self._env(work))
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

    def _batch(self, call: Call, works: list[_Work]) -> list[Any]:
        """The answers of a batched call; what was asked for and not answered becomes a gap, never silence."""
        params = fill_params({k: v for k, v in call.params.items() if k != call.batch_param}, self._env(works[0]))
        params[call.batch_param] = [self._batch_value(call, work) for work in works]
        answers: list[Any] = []
        failed: list[Any] = []
        try:
            for page in self._lane.pages(call, params):
                answers.extend(getter(call.out)(page) or [])
                failed.extend((getter(call.failed)(page) or []) if call.failed else [])
        except Absent:
            return []
        except GapError as gap:
            self._note_get_gap(call, gap)
            return answers
        self._ledger.answered(self._kind.resource_type, call.operation, len(answers))
        missing = len(works) - len(answers)
        if missing > 0 or failed:
            message = f"{max(missing, len(failed))} of {len(works)} asked for were not answered"
            self._note_get_gap(call, GapError(Outcome.TRUNCATED, "PartialAnswer", message))
        return answers

    def _note_get_gap(self, call: Call, gap: GapError) -> None:
        if call is self._kind.get:
            self.gap = self.gap or gap
        self._ledger.gap(self._kind.resource_type, call.operation, gap)

    def _batch_value(self, call: Call, work: _Work) -> str:
        return str(fill(call.params[call.batch_param][0], self._env(work)))

    def _env(self, work: _Work) -> dict[str, Any]:
        env = {**work.item, **self._reserved, "parent": work.parent}
        if "item" not in work.item:
            env["item"] = work.item
        if work.id is not None:
            env["id"] = work.id
        if work.arn is not None:
            env["arn"] = work.arn
        return env

    def _record(self, work: _Work) -> dict[str, Any]:
        kind, env = self._kind, self._env(work)
        configuration: Any = {**work.item, **work.extras}
        for path in kind.volatile:
            configuration = scrubbed(configuration, path.split("."), None)
        for path in kind.redact:
            configuration = scrubbed(configuration, path.split("."), lambda _: REDACTED)
        described = kind.get is None or self._describes
        return record_of(
            self._unit,
            "services",
            resource_type=kind.resource_type,
            cfn_type=kind.cfn,
            service=kind.service,
            resource_id=work.id,
            resource_name=text_of(kind.name, env) or (work.tags or {}).get("Name"),
            resource_arn=work.arn,
            region=self._unit.scope_region,
            tags=work.tags,
            created_at=moment(getter(kind.created)(env)) if kind.created else None,
            state=_scalar(getter(kind.state)(env)) if kind.state else None,
            ownership=(getter(kind.owned)(env) if described else None) if kind.owned else "self",
            configuration=configuration,
        )

    def _close(self) -> None:
        """Give every planned call an outcome: what nothing needed is empty, what was not asked is skipped."""
        kind = self._kind
        wanted = {
            **({kind.get.operation: self._describes} if kind.get else {}),
            **({kind.tags_call.operation: self._enrich or bool(self._unit.tags)} if kind.tags_call else {}),
            **{call.operation: self._enrich for call in kind.extra.values()},
        }
        for operation, asked in {kind.list.operation: True, **wanted}.items():
            if self._ledger.has(kind.resource_type, operation):
                continue
            if not asked:
                self._ledger.skipped(kind.resource_type, operation, "enrichment is off for this type")
            elif self.gap:
                blocked = GapError(self.gap.outcome, self.gap.code, f"not asked: {self.gap.message}")
                self._ledger.gap(kind.resource_type, operation, blocked)
            else:
                self._ledger.answered(kind.resource_type, operation, 0)


def any_glob(globs: tuple[str, ...], kind: ResourceType) -> bool:
    """Whether a type's name is among these globs (the compiled form of the profile's `enrich`)."""
    return "*" in globs or kind.resource_type in globs or f"{kind.service}:{kind.kind}" in globs


def listed(call: Call, page: Page) -> list[Any]:
    """The items on one page of a list call."""
    found = getter(call.out)(page)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


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


def moment(value: Any) -> str | None:
    """A time as ISO 8601 UTC: text, seconds or (CloudWatch Logs) milliseconds since 1970; None if it is no time."""
    if value is None:
        return None
    try:
        return iso_utc(value / 1000 if isinstance(value, int | float) and value > 1e11 else value)
    except (ValueError, TypeError, OverflowError):
        return None


def _scalar(value: Any) -> str | None:
    return None if value is None else str(value)
