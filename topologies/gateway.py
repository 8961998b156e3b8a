"""The gateway process: `python -m topologies.gateway`; `ledgerflow gateway` and `up` run it.

    settings -> policy, tenants, keys -> schemas -> application -> uvicorn

Exit codes: 0 after SIGTERM or SIGINT, 1 where Kafka, the registry or the address cannot be used, 2 for a bad
setting. Logs go to standard error.
"""

from __future__ import annotations

import sys

import uvicorn
from confluent_kafka import KafkaException

from pipeline.gateway.app import build
from pipeline.gateway.commands.protection import Protection
from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.gateway.identity.who import Identity
from pipeline.gateway.policy.policy import Policy
from pipeline.gateway.policy.reading import PolicyError, default_policy, parse_policy
from pipeline.personal.errors import PersonalDataError
from pipeline.personal.opening import DeferredStore, open_in
from pipeline.runtime import logs
from pipeline.runtime.addresses import unusable
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import NotRegistered, Registry, RegistryUnavailable
from pipeline.runtime.exit_codes import EXIT_BAD_SETTING, EXIT_UNUSABLE
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError, load_settings
from topologies.app import VIEWS
from topologies.configuration import Configuration
from topologies.tenants import tenants

ENDS_WITHIN_S = 5
"""How long answers that are under way may take at the end."""
IDLE_S = 65
CONNECTIONS_MAX = 2_000


def _policy(settings: Settings) -> Policy:
    """Return the policy in force. Raises PolicyError, OSError."""
    if settings.policy_file is None:
        return default_policy()
    return parse_policy(settings.policy_file.read_text("utf-8"))


def _protection(settings: Settings) -> Protection:
    """Return what encrypts personal data. Raises SettingsError for a bad file of tenants."""
    keys = DeferredStore(lambda: open_in(settings.personal_dir, settings.kek))
    try:
        return Protection(keys, tenants(Configuration(settings)))
    except PersonalDataError as error:
        raise SettingsError(f"tenants: personal: {error}") from None


def _require_address(settings: Settings) -> None:
    """Raises SettingsError where the gateway cannot listen."""
    if reason := unusable(settings.gateway_host, settings.gateway_port):
        raise SettingsError(
            f"the gateway cannot listen on {settings.gateway_host}:{settings.gateway_port} ({reason}):"
            f" choose another ({ENV_PREFIX}GATEWAY_HOST, {ENV_PREFIX}GATEWAY_PORT)"
        )


def main() -> int:
    """Run the gateway; return the exit code."""
    try:
        settings = load_settings()
        logs.set_up(settings.log_level)
        policy, protection = _policy(settings), _protection(settings)
        _require_address(settings)
    except (SettingsError, PolicyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_SETTING
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_SETTING
    urls = [f"http://{settings.web_host}:{settings.web_port + number}" for number in range(settings.workers)]
    codec = Codec(Registry(settings.registry(), settings.data_dir / "schemas"))
    identity = Identity(Keys(settings.data_dir / FILE_NAME))
    try:
        app = build(settings, codec, policy, identity, protection, VIEWS, urls)
    except (NotRegistered, RegistryUnavailable, KafkaException) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    uvicorn.run(
        app,
        host=settings.gateway_host,
        port=settings.gateway_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
