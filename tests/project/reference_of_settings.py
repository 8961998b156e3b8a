"""The reference of settings, as Markdown: from the classes that read them."""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import msgspec
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipeline.domain.tenants.settings import Tenant
from pipeline.runtime.gateway_settings import GatewaySettings
from pipeline.runtime.settings import ENV_PREFIX, Settings
from tests.project.markdown import table

HOME = "/home/reader"
"""Stands for the reader's home, which the table shows as `~`."""


def block() -> str:
    """Return the table of the environment variables of the runtime."""
    return _variables([*GatewaySettings.model_fields, *Settings.__annotations__])


def rules_block() -> str:
    """Return the table of the environment variables of the concepts."""
    known = {*GatewaySettings.model_fields, *Settings.__annotations__}
    return _variables([name for name in Settings.model_fields if name not in known])


def _variables(names: list[str]) -> str:
    with mock.patch.dict(os.environ, {"HOME": HOME}):
        os.environ.pop("XDG_CACHE_HOME", None)
        defaults: dict[str, Any] = {}
        for name, field in Settings.model_fields.items():
            defaults[name] = field.get_default(call_default_factory=True, validated_data=defaults)
    rows = [
        (f"`{ENV_PREFIX}{name.upper()}`", _shown(defaults[name]), _bounds(field), field.description or "")
        for name, field in Settings.model_fields.items()
        if name in names
    ]
    return table(("variable", "default", "may be", "meaning"), rows)


def tenants_block() -> str:
    """Return the table of what the tenants file may say of a tenant."""
    return _struct_table(Tenant)


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return "none"
    return f"`{str(value).replace(HOME, '~')}`"


def _bounds(field: FieldInfo) -> str:
    """Return what a setting may be, as far as its type says it."""
    low = next((one.ge for one in field.metadata if hasattr(one, "ge")), None)
    high = next((one.le for one in field.metadata if hasattr(one, "le")), None)
    if low is not None:
        return f"from {low:,}" + ("" if high is None else f" to {high:,}")
    choices = [str(one) for one in get_args(field.annotation) if isinstance(one, str)]
    if choices:
        return ", ".join(choices)
    pattern = next((one.pattern for one in field.metadata if getattr(one, "pattern", None)), None)
    if pattern:
        return f"`{pattern}`"
    return "a path" if Path in (field.annotation, *get_args(field.annotation)) else "text"


def _struct_table(struct: type[msgspec.Struct]) -> str:
    said = dict(_attribute_docs(struct))
    rows = [
        (
            f"`{field.name}`",
            "none" if field.default is None else f"`{field.default}`",
            said.get(field.name, ""),
        )
        for field in msgspec.structs.fields(struct)
    ]
    return table(("setting", "default", "meaning"), rows)


def _attribute_docs(kind: type) -> Iterator[tuple[str, str]]:
    """Yield what the text under each attribute of a class says, if there is one."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    for before, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
            name, text = before.target, after.value
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
                yield name.id, " ".join(str(text.value).split())
