"""A call as botocore makes it, prepared once: its own serializer, handlers, signer, connections and parser.

botocore looks up some dozen events for each call, most of which nobody listens to. Here the listeners are looked up
when the operation is prepared; those that do something are called as botocore would, in its order. What this cannot do
(checksums, compression, streams, other signatures) goes through the client's own method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import prepare_request_dict
from botocore.endpoint import convert_to_response_dict
from botocore.exceptions import ClientError

from scanner.aws.answers import check_error
from scanner.aws.connections import send
from scanner.aws.signing import Request, Scope, scope_of

Handler = Callable[..., Any]
Method = Callable[[Mapping[str, Any]], dict[str, Any]]

# What these do is done here or never needed: one attempt, no endpoint discovery, the caller's own tracing header.
_IDLE = frozenset(
    {
        "botocore.handlers.inject_api_version_header_if_needed",
        "botocore.handlers._handle_request_validation_mode_member",
        "botocore.handlers.generate_idempotent_uuid",
        "botocore.handlers.set_operation_specific_signer",
        "botocore.handlers._set_auth_scheme_preference_signer",
        "botocore.handlers.add_retry_headers",
        "botocore.retries.standard.RetryQuotaChecker.release_retry_quota",
        "botocore.retries.standard.MaxAttemptsSeeder.seed_max_attempts",
        "botocore.retries.standard.RetryHandler.needs_retry",
        "botocore.signers.RequestSigner.handler",
        "botocore.useragent.UserAgentString.rebuild_and_replace_user_agent_handler",
    }
)
_REDIRECTS = frozenset({301, 302, 307, 400})


class Parts:
    """What all operations of a client have in common, made out once."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.agent = client._user_agent_creator.to_string()
        self.endpoint: _Endpoint | None = None  # of operations whose endpoint hangs on nothing but the client


def prepare(parts: Parts, method: str) -> Method:
    """A function that makes one call of `client.method(**params)`: same request, same answer, same ClientError."""
    client = parts.client
    plain = getattr(client, method)  # raises ReadOnlyViolation for what may not be called
    model = _shared_model(client).operation_model(client.meta.method_to_api_mapping[method])
    if _is_special(client, model) or _handlers(client, model, "request-created", "before-send", "response-received"):
        return lambda params: plain(**params)
    return _Operation(parts, model, plain)


def warm_up(client: Any, method: str) -> None:
    """Compile what reads the answers of an operation, for all clients of this process and of those forked from it."""
    model = _shared_model(client).operation_model(client.meta.method_to_api_mapping[method])
    parser = client._endpoint._response_parser_factory.create_parser(model.service_model.resolved_protocol)
    if model.output_shape is not None and hasattr(parser, "reader"):
        parser.reader(model.output_shape)


def _shared_model(client: Any) -> Any:
    """One model for all clients of a service: shapes are resolved, and readers compiled, once."""
    own = client.meta.service_model
    return _MODELS.setdefault(id(own._service_description), own)


_MODELS: dict[int, Any] = {}


def _is_special(client: Any, model: Any) -> bool:
    """Whether botocore does more for this operation than what is written here."""
    return bool(
        "payload_signing_enabled" in (client.meta.config.s3 or {})
        or model.unsigned_payload
        or model.http_checksum
        or model.request_compression
        or model.has_streaming_input
        or model.has_streaming_output
        or model.has_event_stream_output
        or model.is_endpoint_discovery_operation
        or model.idempotent_members
        or model.resolved_auth_type not in (None, "v4")
    )


def _handlers(client: Any, model: Any, *events: str) -> list[Handler]:
    """The listeners of events of one operation that do something for a reading call, in botocore's order."""
    listeners, service = client.meta.events._handlers, model.service_model.service_id.hyphenize()
    found = [one for event in events for one in listeners.prefix_search(f"{event}.{service}.{model.name}")]
    return [one for one in found if f"{one.__module__}.{getattr(one, '__qualname__', '')}" not in _IDLE]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Where an operation's requests go, and the scope of their signatures."""

    url: str
    headers: Mapping[str, str]
    scope: Scope


class _Operation:
    """One operation of one client. Calls may come from several threads."""

    def __init__(self, parts: Parts, model: Any, plain: Callable[..., Any]) -> None:
        client = parts.client
        self._parts, self._client, self._model, self._plain = parts, client, model, plain
        self._building = _handlers(client, model, "provide-client-params", "before-parameter-build")
        self._before = _handlers(client, model, "before-call")
        self._parsing = _handlers(client, model, "before-parse")
        self._after = _handlers(client, model, "after-call")
        self._may_redirect = bool(_handlers(client, model, "needs-retry"))
        self._signing = _handlers(client, model, "before-sign")
        self._parser = client._endpoint._response_parser_factory.create_parser(model.service_model.resolved_protocol)
        self._endpoint = self._fixed_endpoint()

    def __call__(self, params: Mapping[str, Any]) -> dict[str, Any]:
        request = self._request(dict(params))
        if request is None:
            return self._plain(**params)  # type: ignore[no-any-return]
        http = send(self._client._endpoint.http_session, request)
        if self._may_redirect and http.status_code in _REDIRECTS:
            return self._plain(**params)  # type: ignore[no-any-return]
        parsed = self._parsed(http)
        for handler in self._after:
            handler(http_response=http, parsed=parsed, model=self._model, context=request.context)
        # S3 says 200 to some errors; a handler of botocore finds them.
        status = int(parsed["ResponseMetadata"]["HTTPStatusCode"])
        if status >= 300:
            check_error(parsed, http.status_code, status)
            if "error_code_override" in request.context:
                parsed["Error"]["Code"] = request.context["error_code_override"]
            raise ClientError(parsed, self._model.name)  # type: ignore[arg-type]
        return parsed

    def _request(self, params: dict[str, Any]) -> Request | None:
        """The signed request; None where its signature is not one that is known here."""
        context = self._new_context()
        for handler in self._building:
            handler(params=params, model=self._model, context=context)
        url, headers = self._endpoint_of(params, context)
        asked = self._client._serializer.serialize_to_request(params, self._model)
        asked["headers"].update(headers)
        prepare_request_dict(asked, endpoint_url=url, context=context, user_agent=self._parts.agent)
        for handler in self._before:
            handler(model=self._model, params=asked, request_signer=self._client._request_signer, context=context)
        request = Request.of(asked)
        return request if self._sign(request) else None

    def _new_context(self) -> dict[str, Any]:
        meta = self._client.meta
        return {
            "client_region": meta.region_name,
            "client_config": meta.config,
            "has_streaming_input": False,
            "auth_type": self._model.resolved_auth_type,
            "unsigned_payload": self._model.unsigned_payload,
            "auth_options": self._model.service_model.metadata.get("auth"),
        }

    def _fixed_endpoint(self) -> _Endpoint | None:
        """The endpoint of an operation whose endpoint does not hang on its parameters; else None."""
        client, model = self._client, self._model
        by_params = model.context_parameters or model.operation_context_parameters or self._signing
        if by_params or _handlers(client, model, "choose-signer", "before-endpoint-resolution"):
            return None
        if model.static_context_parameters:
            return self._resolved_endpoint()
        self._parts.endpoint = self._parts.endpoint or self._resolved_endpoint()
        return self._parts.endpoint

    def _resolved_endpoint(self) -> _Endpoint | None:
        context = self._new_context()
        url, headers, _ = self._client._resolve_endpoint_ruleset(self._model, {}, context)
        scope = scope_of(self._client._request_signer, self._model.name, context)
        return _Endpoint(url, headers, scope) if scope else None

    def _endpoint_of(self, params: Mapping[str, Any], context: dict[str, Any]) -> tuple[str, Mapping[str, str]]:
        if self._endpoint:
            return self._endpoint.url, self._endpoint.headers
        url, headers, properties = self._client._resolve_endpoint_ruleset(self._model, params, context)
        if properties:
            context["endpoint_properties"] = properties
        return url, headers

    def _sign(self, request: Request) -> bool:
        """Sign with the client's credentials of this moment; whether that could be done."""
        signer, scope = self._client._request_signer, self._endpoint.scope if self._endpoint else None
        if scope is None:
            said = {"signing_name": signer.signing_name, "region_name": signer.region_name}
            version = signer._choose_signer(self._model.name, "standard", request.context)
            for handler in self._signing:
                handler(
                    request=request,
                    signature_version=version,
                    request_signer=signer,
                    operation_name=self._model.name,
                    **said,
                )
            scope = scope_of(signer, self._model.name, request.context)
        if scope is None:
            return False
        scope.sign(request, signer._credentials.get_frozen_credentials())
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            request.headers["Content-Length"] = str(len(request.body or b""))
        return True

    def _parsed(self, http: Any) -> dict[str, Any]:
        answer: Any = convert_to_response_dict(http, self._model)
        customized: dict[str, Any] = {}
        for handler in self._parsing:
            handler(operation_model=self._model, response_dict=answer, customized_response_dict=customized)
        parsed: dict[str, Any] = self._parser.parse(answer, self._model.output_shape)
        parsed.update(customized)
        return parsed
