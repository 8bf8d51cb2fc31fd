"""Where moto is untrue to AWS in a call that a scan makes: requests moto would misread, answers AWS would not give."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape

from scanner.demo.fleet import REGIONS, Asked

Environ = dict[str, Any]


def correct_request(asked: Asked, environ: Environ, body: bytes) -> None:
    """Mend one request in place, if moto would misread it."""
    mend = _REQUESTS.get((asked.service, asked.operation))
    if mend:
        mend(asked, environ, body)


def answer_correction(asked: Asked) -> Callable[[Asked, Environ, bytes], bytes] | None:
    """What makes AWS's answer of moto's; None where moto's is right, and most are."""
    return _ANSWERS.get((asked.service, asked.operation))


def answer_instead(asked: Asked, body: bytes) -> bytes | None:
    """The answer to a call that moto does not have at all; None for all others."""
    if (asked.service, asked.operation) != ("iam", "ListInstanceProfileTags"):
        return None
    from moto.iam.models import iam_backends

    name = parse_qs(body.decode())["InstanceProfileName"][0]
    tags = iam_backends[asked.account]["aws"].get_instance_profile(name).tags
    pairs = ((escape(tag["Key"]), escape(tag["Value"])) for tag in tags)
    members = "".join(f"<member><Key>{key}</Key><Value>{value}</Value></member>" for key, value in pairs)
    result = f"<ListInstanceProfileTagsResult><Tags>{members}</Tags></ListInstanceProfileTagsResult>"
    return f"<ListInstanceProfileTagsResponse>{result}</ListInstanceProfileTagsResponse>".encode()


def _all_buckets_on_one_page(_asked: Asked, environ: Environ, _body: bytes) -> None:
    # moto cuts the list at MaxBuckets and gives no token for the rest: whoever asks for pages would lose buckets.
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if query.pop("max-buckets", None):
        environ["QUERY_STRING"] = urlencode(query, doseq=True)


def _name_all_capacity_providers(asked: Asked, environ: Environ, body: bytes) -> None:
    # Without names AWS describes all of them; moto fails with HTTP 500.
    from moto.ecs.models import ecs_backends

    form = json.loads(body or b"{}")
    if "capacityProviders" not in form:
        form["capacityProviders"] = sorted(ecs_backends[asked.account][asked.region].capacity_providers)
        text = json.dumps(form).encode()
        environ.update({"wsgi.input": io.BytesIO(text), "CONTENT_LENGTH": str(len(text))})


def _only_buckets_of_the_region(asked: Asked, _environ: Environ, answer: bytes) -> bytes:
    # The tagging API tells a region's own buckets; moto tells the account's, in each region.
    from moto.s3.models import s3_backends

    buckets = s3_backends[asked.account]["aws"].buckets
    page = json.loads(answer)
    page["ResourceTagMappingList"] = [
        found
        for found in page.get("ResourceTagMappingList", [])
        if not found["ResourceARN"].startswith("arn:aws:s3:::")
        or buckets[found["ResourceARN"].rpartition(":")[2]].region_name == asked.region
    ]
    return json.dumps(page).encode()


def _queue_urls_of_aws(asked: Asked, environ: Environ, answer: bytes) -> bytes:
    # moto names queues by the address it is asked at, so that they would change with the port.
    return answer.replace(
        f"http://{environ['HTTP_HOST']}/".encode(), f"https://sqs.{asked.region}.amazonaws.com/".encode()
    )


def _regions_of_the_fleet(_asked: Asked, _environ: Environ, answer: bytes) -> bytes:
    # moto's accounts have every region of AWS switched on; the fleet's have the four that it lives in.
    items = re.findall(rb"<item>.*?</item>", answer, re.DOTALL)
    named = [f"<regionName>{region}</regionName>".encode() for region in REGIONS]
    for item in items:
        if not any(name in item for name in named):
            answer = answer.replace(item, b"")
    return answer


_REQUESTS: dict[tuple[str, str], Callable[[Asked, Environ, bytes], None]] = {
    ("s3", "ListBuckets"): _all_buckets_on_one_page,
    ("ecs", "DescribeCapacityProviders"): _name_all_capacity_providers,
}
_ANSWERS: dict[tuple[str, str], Callable[[Asked, Environ, bytes], bytes]] = {
    ("ec2", "DescribeRegions"): _regions_of_the_fleet,
    ("resourcegroupstaggingapi", "GetResources"): _only_buckets_of_the_region,
    ("sqs", "ListQueues"): _queue_urls_of_aws,
    ("sqs", "GetQueueUrl"): _queue_urls_of_aws,
    ("sqs", "CreateQueue"): _queue_urls_of_aws,
}
