"""Follows the catalog: list, get, tags, extras of one type, page by page, into records. No service is special."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from scanner.aws.calls import Absent, Lane, Page
from scanner.catalog.arns import resource_id
from scanner.catalog.spec import Call, ResourceType
from scanner.collectors.filters import matcher
from scanner.collectors.ledger import Ledger
from scanner.collectors.questions import Questions, Work, arn_alone
from scanner.collectors.records import record_of
from scanner.collectors.values import Item, fill_params, getter, moment, scalar, scrubber, tags_of, text_of
from scanner.collectors.wanted import describes, enriches, reads_tags
from scanner.errors import GapError
from scanner.model import Outcome, Unit

_CHUNK = 100  # items that get their extra calls together, so that pages stream


@dataclass(frozen=True, slots=True)
class Pools:
    """Threads for calls side by side: per parent and, below them, per item. Tasks in `items` wait for no other."""

    parents: Executor
    items: Executor


class TypeScan:
    """One resource type in one unit. `run` yields records and leaves `parents` for the types below it."""

    def __init__(  # noqa: PLR0913 - all that a type in a unit is made of
        self,
        unit: Unit,
        kind: ResourceType,
        lane: Lane,
        ledger: Ledger,
        pools: Pools,
        *,
        keep_parents: bool = False,
        include_sensitive: bool = False,
    ) -> None:
        self._unit, self._kind, self._lane, self._ledger, self._pools = unit, kind, lane, ledger, pools
        self._questions = Questions(unit, kind, lane, ledger, pools.items)
        self._enrich = enriches(unit, kind)
        self._matches = matcher(unit.tags) if unit.tags else None
        self._describes = describes(unit, kind)
        self._keep_parents = keep_parents
        self._scrub = scrubber(() if include_sensitive else kind.redact, kind.volatile)
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
        self.close()

    def list_only(self, parents: Sequence[Item] = ()) -> None:
        """Fill `parents` for the types below, when this type itself is not asked for: no records, no extras."""
        for works in self._gathered(parents):
            self._keep(works)

    def _finished(self, works: list[Work]) -> Iterator[dict[str, Any]]:
        """Tags, filter and extras of a chunk of items, and the records they become."""
        self._keep(works)
        self._read_tags(works)
        if self._matches:
            self._note_untold(works)
            works = [work for work in works if work.tags is not None and self._matches(work.tags)]
        if self._enrich:
            self._questions.extras(works)
        for work in works:
            yield self._record(work)

    def _gathered(self, parents: Sequence[Item]) -> Iterator[list[Work]]:
        """Items in chunks; those of many parents are listed side by side and share chunks, so that batches fill."""
        if not self._kind.of_parent:
            for parent in self._kind.of_literals or (None,):
                yield from self._chunks(parent)
            return
        held: list[Work] = []
        for start in range(0, len(parents), _CHUNK):
            asked = self._pools.parents.map(lambda one: list(self._chunks(one)), parents[start : start + _CHUNK])
            for works in (chunk for chunks in asked for chunk in chunks):
                held.extend(works)
                while len(held) >= _CHUNK:
                    yield held[:_CHUNK]
                    held = held[_CHUNK:]
        if held:
            yield held

    def _keep(self, works: list[Work]) -> None:
        if self._keep_parents:
            self.parents.extend(
                {
                    **work.item,
                    "arn": work.arn,
                    "id": work.id,
                    "name": text_of(self._kind.name, self._questions.env(work)),
                }
                for work in works
            )

    def _chunks(self, parent: Item | str | None) -> Iterator[list[Work]]:
        """Items of one parent, described and identified, in chunks that fit one `get`."""
        size = (self._kind.get.batch if self._kind.get else 0) or _CHUNK
        held: list[Work] = []
        for item in self._list(parent):
            held.append(Work(item, parent if isinstance(parent, dict) else None))
            if len(held) >= size:
                yield self._identified(self._described(held))
                held = []
        if held:
            yield self._identified(self._described(held))

    def _list(self, parent: Item | str | None) -> Iterator[Item]:
        call = self._kind.list
        params = fill_params(call.params, {**self._questions.reserved, "parent": parent})
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

    def _described(self, works: list[Work]) -> list[Work]:
        call = self._kind.get
        if call is None or not self._describes:
            return works
        described = self._questions.described(call, works)
        self.gap = self.gap or self._questions.gap
        return described

    def _identified(self, works: list[Work]) -> list[Work]:
        kept = []
        for work in works:
            env = self._questions.env(work)
            if self._kind.where and not getter(self._kind.where)(env):
                continue
            work.id = text_of(self._kind.id, env)
            work.arn = text_of(self._kind.arn, {**env, "id": work.id}) or arn_alone(work)
            if work.id is None and work.arn:
                work.id = resource_id(work.arn, self._kind.kind)
            if work.id is None and work.arn is None:
                gap = GapError(Outcome.MALFORMED, "NoIdentity", "an item came without its id and ARN")
                self._ledger.gap(self._kind.resource_type, self._kind.list.operation, gap)
                continue
            kept.append(work)
        return kept

    def _note_untold(self, works: list[Work]) -> None:
        """Under a tag filter, a type whose tags the catalog does not know how to read is a gap, never a non-match."""
        if works and not (self._kind.tags or self._kind.tags_call or self._kind.untagged):
            gap = GapError(Outcome.TRUNCATED, "NotJudged", "the catalog does not say where the tags of this type are")
            self._ledger.gap(self._kind.resource_type, self._kind.list.operation, gap)

    def _read_tags(self, works: list[Work]) -> None:
        kind = self._kind
        if kind.untagged:
            for work in works:
                work.tags = {}
            return
        if kind.tags_call is None:
            is_whole = kind.get is None or self._describes
            for work in works:
                raw = getter(kind.tags)(work.item) if kind.tags else None
                is_read = raw is not None or (is_whole and kind.tags and work.is_described)
                work.tags = tags_of(raw) if is_read else None
            return
        if not reads_tags(self._unit, kind):
            return
        call = kind.tags_call
        if call.batch:
            take = getter(call.take)
            answered = self._questions.batches(call, works)
            found = {str(getter(call.key)(one)): tags_of(take(one)) for one in answered}
            for work in works:
                work.tags = found.get(self._questions.batch_value(call, work))
            return
        for work, answer in zip(works, self._questions.each(call, works), strict=True):
            work.tags = None if isinstance(answer, GapError) else tags_of(answer)

    def _record(self, work: Work) -> dict[str, Any]:
        kind, env = self._kind, self._questions.env(work)
        described = kind.get is None or (self._describes and work.is_described)
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
            state=scalar(getter(kind.state)(env)) if kind.state else None,
            ownership=(getter(kind.owned)(env) if described else None) if kind.owned else "self",
            configuration=self._scrub({**work.item, **work.extras}),
        )

    def close(self) -> None:
        """Give every planned call an outcome: what nothing needed is empty, what was not asked is skipped."""
        kind = self._kind
        wanted = {
            **({kind.get.operation: self._describes} if kind.get else {}),
            **({kind.tags_call.operation: reads_tags(self._unit, kind)} if kind.tags_call else {}),
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


def listed(call: Call, page: Page) -> list[Any]:
    """The items on one page of a list call."""
    found = getter(call.out)(page)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]
