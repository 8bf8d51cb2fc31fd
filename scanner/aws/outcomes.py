"""AWS's errors in our words: which outcome a failed call has, and whether asking again may help."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from scanner.aws.denials import ORGANIZATION_POLICIES, refusal_of
from scanner.model import Outcome

THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "ForbiddenException",
        "NotAuthorized",
        "NotAuthorizedException",
        "UnauthorizedException",
        "UnauthorizedOperation",
        "KMSAccessDeniedException",
        "403",
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
# After STS has accepted the keys, these mean that the region does not know them: it is not enabled for the account.
UNKNOWN_KEYS = frozenset({"AuthFailure", "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"})
SIGNATURES = frozenset(
    {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "RequestTimeTooSkewed"}
)
REGION_OFF = frozenset({"OptInRequired", "RegionDisabledException"})
NOT_ENABLED = frozenset({"SubscriptionRequiredException", "AWSOrganizationsNotInUseException"})
_LONGEST = 10_000  # of an error's text, what is looked at
_NOT_HERE = re.compile(r"not (?:available|supported) in (?:this|the) region", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means: outcome, code, one line of message, and whether it may pass (`transient`).

    `refusal`, of a denial: the action that AWS names, and what forbids it.
    """

    outcome: Outcome
    code: str
    message: str
    transient: bool = False
    refusal: tuple[str, str] | None = None


def verdict(error: Exception, off: tuple[str, ...] = ()) -> Verdict:
    """Judge a botocore exception; `off` are codes that mean "not enabled" for this call."""
    if isinstance(error, aws.ClientError):
        return _of_answer(error, off)
    code, message = type(error).__name__, one_line(str(error))
    if isinstance(error, aws.ConnectTimeoutError | aws.ReadTimeoutError):
        return Verdict(Outcome.TIMEOUT, code, message, transient=True)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError | aws.CredentialRetrievalError):
        return Verdict(Outcome.CREDENTIALS, code, message)
    if isinstance(error, ResponseParserError) or not isinstance(error, aws.BotoCoreError):
        return Verdict(Outcome.MALFORMED, code, message, transient=True)
    if _is_cut(error):
        return Verdict(Outcome.MALFORMED, "TruncatedAnswer", "the connection ended in the middle of the answer", True)
    return Verdict(Outcome.ERROR, code, message, transient=_may_pass(error, message))


def _is_cut(error: aws.BotoCoreError) -> bool:
    """Whether an answer broke off after its headers: a chunked body without its end."""
    cause = str(error.kwargs.get("error", "")) if isinstance(error, aws.ConnectionClosedError) else ""
    return "IncompleteRead" in cause or "InvalidChunkLength" in cause


def _may_pass(error: aws.BotoCoreError, message: str) -> bool:
    """Whether a network failure may be gone with the next attempt; a certificate that is refused stays so."""
    if isinstance(error, aws.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" not in message
    return isinstance(error, aws.HTTPClientError | aws.EndpointConnectionError | aws.ProxyConnectionError)


def _of_answer(error: aws.ClientError, off: tuple[str, ...]) -> Verdict:
    body = error.response.get("Error", {})
    code, said = str(body.get("Code", "")), str(body.get("Message", ""))
    message = one_line(said)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in off:
        return Verdict(Outcome.NOT_ENABLED, code, message)
    if code in THROTTLES or status == 429:
        return Verdict(Outcome.THROTTLED, code, message, transient=True)
    if status >= 500:
        return Verdict(Outcome.ERROR, code, message or f"HTTP {status}", transient=True)
    if not code:
        return Verdict(Outcome.MALFORMED, "NoErrorCode", f"HTTP {status} without an error of AWS's", transient=True)
    # Judged by all of the text: what forbids the call stands at its end, behind long ARNs.
    outcome = _outcome_of(code, said)
    denied = outcome in (Outcome.DENIED, Outcome.DENIED_BY_POLICY)
    return Verdict(outcome, code, message, refusal=refusal_of(said) if denied else None)


def _outcome_of(code: str, message: str) -> Outcome:
    if refusal_of(message)[1] in ORGANIZATION_POLICIES:
        return Outcome.DENIED_BY_POLICY
    if code in DENIALS:
        return Outcome.DENIED
    if code in EXPIRED or code in SIGNATURES:
        return Outcome.CREDENTIALS
    if code in UNKNOWN_KEYS or code in REGION_OFF:
        return Outcome.REGION_DISABLED
    if code in NOT_ENABLED:
        return Outcome.NOT_ENABLED
    if _NOT_HERE.search(message):
        return Outcome.NOT_AVAILABLE
    return Outcome.ERROR


# What a signature was made of has the session token in it.
_CANONICAL = re.compile(r"(?is)\b(?:the canonical string|the string-to-sign)\b.*")
_USERINFO = re.compile(r"//[^/@\s\"']*@")
_VALUES = re.compile(
    r"(?i)([?&][\w.~%-]+=|\b[\w-]*(?:password|secret|token|signature)[\w-]*=|\bx-amz-[\w-]+:)[^\s&'\"<>,;]+"
)
_KEY_SHAPED = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|[A-Za-z0-9/+=]{40,}")


def one_line(text: str) -> str:
    """An error's text on one line of at most 300 characters, without anything that looks like a key or token."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST]).split())
    plain = _VALUES.sub(r"\1***", without_userinfo(_CANONICAL.sub("", flat)))
    return _KEY_SHAPED.sub("***", plain)[:300].strip()


def without_userinfo(text: str) -> str:
    """The text with user and password taken out of every address in it."""
    return _USERINFO.sub("//***@", text)
