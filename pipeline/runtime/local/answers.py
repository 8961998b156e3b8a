"""Whether the parts of the local stack answer."""

from __future__ import annotations

import http.client
import socket

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.runtime.local.secure import SecureForm
from pipeline.runtime.settings import Settings

_WITHIN_S = 2


def broker_answers(settings: Settings, form: SecureForm | None) -> bool:
    """Return whether the broker serves clients: its port opens a little before it is in the cluster."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", settings.kafka_port)) != 0:
            return False
    reached = {"bootstrap.servers": f"127.0.0.1:{settings.kafka_port}"} if form is None else form.admin()
    try:
        return bool(AdminClient({**reached, "log_level": 0}).list_topics(timeout=_WITHIN_S).brokers)
    except KafkaException:
        return False


def registry_answers(settings: Settings, form: SecureForm | None) -> bool:
    """Return whether the registry lists its subjects."""
    host, port = "127.0.0.1", settings.registry_port
    if form is None:
        connection, headers = http.client.HTTPConnection(host, port, timeout=_WITHIN_S), {}
    else:
        context = form.registry_context()
        connection = http.client.HTTPSConnection(host, port, timeout=_WITHIN_S, context=context)
        headers = {"Authorization": form.registry_login()}
    try:
        connection.request("GET", "/apis/ccompat/v7/subjects", headers=headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
