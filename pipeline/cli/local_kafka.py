"""Kafka and the registry of a data directory on which no stack runs, for a command that needs it at rest."""

from __future__ import annotations

from contextlib import ExitStack

from pipeline.cli.problems import Failed
from pipeline.cli.reach import KAFKA, require_stack
from pipeline.cli.up import local_settings
from pipeline.runtime.local.artifacts import ArtifactError
from pipeline.runtime.local.credentials import credentials_of
from pipeline.runtime.local.stack import LocalStack, StackError
from pipeline.runtime.settings import Settings


def with_kafka(settings: Settings, running: ExitStack, role: str) -> Settings:
    """Return where Kafka is, for a role; that of a local stack which stands still runs as long as `running`.

    Raises Failed where it cannot be started, or where the directory is named and none is there.
    """
    local = (settings.data_dir.expanduser() / "kafka" / "meta.properties").exists()
    if "bootstrap_servers" in settings.model_fields_set:
        return settings
    if not local:
        require_stack(settings, KAFKA)
        return settings
    secure = credentials_of(settings.data_dir) is not None
    try:
        stack = running.enter_context(LocalStack(local_settings(settings), secure=secure))
    except (StackError, ArtifactError) as error:
        raise Failed(str(error)) from None
    return stack.settings_of(role)
