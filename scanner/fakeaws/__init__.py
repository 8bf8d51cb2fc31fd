"""A fake AWS made of botocore's shapes: any list, describe and get call of the catalog, true pages, faults by rule."""

from scanner.fakeaws.content import Fleet
from scanner.fakeaws.directory import Directory, Member
from scanner.fakeaws.reading import load_rules, parse_rule
from scanner.fakeaws.rules import Rule
from scanner.fakeaws.server import FakeAws
from scanner.fakeaws.serving import serve

__all__ = ["Directory", "FakeAws", "Fleet", "Member", "Rule", "load_rules", "parse_rule", "serve"]
