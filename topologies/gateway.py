"""The gateway process: `python -m topologies.gateway`; `ledgerflow gateway` and `up` run it.

    settings -> policy, entrance -> schemas -> application -> uvicorn

Exit codes: 0 after SIGTERM or SIGINT, 1 where Kafka, the registry or the address cannot be used, 2 for a bad
setting. Logs go to standard error.
"""

from __future__ import annotations

import sys

import uvicorn
from confluent_kafka import KafkaException

from pipeline.gateway.app import build
from pipeline.gateway.identity.entrance import make_entrance
from pipeline.gateway.policy.reading import PolicyError, read_policy
from pipeline.runtime import logs
from pipeline.runtime.addresses import unusable
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import NotRegistered, Registry, RegistryUnavailable
from pipeline.runtime.exit_codes import EXIT_BAD_SETTING, EXIT_UNUSABLE
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError, load_settings
from topologies.app import VIEWS

ENDS_WITHIN_S = 5
"""How long answers that are under way may take at the end."""
IDLE_S = 65
CONNECTIONS_MAX = 2_000


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
        policy = read_policy(settings.policy_file)
        _require_address(settings)
        entrance = make_entrance(settings, policy)
    except (SettingsError, PolicyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_SETTING
    except OSError as error:
        print(
            f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}",
            file=sys.stderr,
        )
        return EXIT_BAD_SETTING
    urls = [f"http://{settings.web_host}:{settings.web_port + number}" for number in range(settings.workers)]
    codec = Codec(Registry(settings.registry(), settings.data_dir / "schemas"))
    try:
        app = build(settings, codec, policy, entrance, VIEWS, urls)
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
        proxy_headers=bool(settings.gateway_proxies),
        forwarded_allow_ips=settings.gateway_proxies or None,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
