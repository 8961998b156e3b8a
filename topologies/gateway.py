"""The gateway process: `python -m topologies.gateway`; `ledgerflow gateway` and `up` run it.

    settings -> policy, entrance, keys of personal data -> schemas -> application -> uvicorn

Exit codes: 0 after SIGTERM or SIGINT, 1 where Kafka or the registry cannot be used, 2 for a bad setting or an
address in use. Logs go to standard error.
"""

from __future__ import annotations

import sys

import uvicorn
from confluent_kafka import KafkaException

from pipeline.domain.tenants.settings import Tenants
from pipeline.gateway.app import build
from pipeline.gateway.commands.protection import Protection
from pipeline.gateway.identity.entrance import make_entrance
from pipeline.gateway.policy.reading import PolicyError, read_policy
from pipeline.gateway.serving import options
from pipeline.personal.errors import PersonalDataError
from pipeline.personal.opening import DeferredStore, open_in
from pipeline.runtime import logs
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import NotRegistered, Registry, RegistryUnavailable
from pipeline.runtime.exit_codes import EXIT_BAD_SETTING, EXIT_UNUSABLE
from pipeline.runtime.settings import Settings, SettingsError, load_settings
from topologies.app import VIEWS
from topologies.configuration import Configuration
from topologies.tenants import tenants


def _protection(settings: Settings, known: Tenants) -> Protection:
    """Return what encrypts personal data. Raises SettingsError for a bad mark of a tenant."""
    keys = DeferredStore(lambda: open_in(settings.personal_dir, settings.kek))
    try:
        return Protection(keys, known)
    except PersonalDataError as error:
        raise SettingsError(f"tenants: personal: {error}") from None


def main() -> int:
    """Run the gateway; return the exit code."""
    try:
        settings = load_settings()
        logs.set_up(settings.log_level)
        policy = read_policy(settings.policy_file, {view.name: view.columns for view in VIEWS})
        known = tenants(Configuration(settings))
        serving, protection = options(settings), _protection(settings, known)
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
        app = build(settings, codec, policy, entrance, protection, VIEWS, urls, known)
    except (NotRegistered, RegistryUnavailable, KafkaException) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    uvicorn.run(app, **serving)
    return 0


if __name__ == "__main__":
    sys.exit(main())
