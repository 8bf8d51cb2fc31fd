"""The layers of a profile: what is said in code or on the command line, above the environment, above the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from scanner.errors import ProfileError
from scanner.profile.model import ProfileFields
from scanner.profile.words import AsWritten

ENV_PREFIX = "AWS_SCANNER__"


def layered(doc: Mapping[str, Any], overrides: Mapping[str, Any]) -> ProfileFields:
    """The settings of all layers. Raises pydantic's ValidationError; ProfileError for a variable that is no JSON."""
    if any(name.upper().startswith(ENV_PREFIX) for name in os.environ):
        return _with_environment(doc, overrides)
    return ProfileFields.model_validate(_merged(doc, overrides))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two layers in one: sections key by key, as pydantic-settings does it."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _with_environment(doc: Mapping[str, Any], overrides: Mapping[str, Any]) -> ProfileFields:
    # Here, because most scans have no such variable, and its import takes a fourteenth of a scan's own process.
    from pydantic_settings import (
        BaseSettings,
        EnvSettingsSource,
        InitSettingsSource,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
        SettingsError,
    )

    class Variables(EnvSettingsSource):
        def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
            if field is not None and AsWritten in field.metadata:
                return value
            return super().decode_complex_value(field_name, field, value)

    class Settings(BaseSettings, ProfileFields):
        model_config = SettingsConfigDict(
            env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, coerce_numbers_to_str=True
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, Variables(settings_cls), InitSettingsSource(settings_cls, dict(doc))

    try:
        return Settings(**overrides)
    except SettingsError as error:
        raise ProfileError([f"environment: {' '.join(str(error).split())}"]) from None
