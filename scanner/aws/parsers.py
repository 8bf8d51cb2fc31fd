"""botocore's parsers with each shape looked at once: readers compiled from the model give the same answers sooner.

botocore asks a shape for its members, names and kinds again for each item of each page. Whatever is not plain
(unions, attributes, headers, events, repeated elements) is still read by botocore's own code. Unlike botocore's, these
readers refuse what is no answer of the operation (`scanner.aws.answers`) instead of making nothing of it.
"""

from __future__ import annotations

from typing import Any

from botocore.parsers import ResponseParserFactory

from scanner.aws.json_readers import JsonRpc, RestJson
from scanner.aws.timestamps import iso_utc
from scanner.aws.xml_readers import Ec2, Query, RestXml


class Factory(ResponseParserFactory):
    """botocore's parser factory (session component `response_parser_factory`): one parser per protocol and process."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=iso_utc)
        self._parsers: dict[str, Any] = {}

    def create_parser(self, protocol_name: str) -> Any:
        """The compiling parser of a protocol; botocore's own where there is none."""
        if protocol_name not in _COMPILING:
            return super().create_parser(protocol_name)
        if protocol_name not in self._parsers:
            self._parsers[protocol_name] = _COMPILING[protocol_name](timestamp_parser=iso_utc)
        return self._parsers[protocol_name]


_COMPILING: dict[str, Any] = {
    "query": Query, "ec2": Ec2, "rest-xml": RestXml, "json": JsonRpc, "rest-json": RestJson,
}  # fmt: skip
