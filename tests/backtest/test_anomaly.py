"""The anomaly model end to end: trained of a file without labels, published, evaluated, named, a reason."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import pytest

from pipeline.cli.entry import main
from pipeline.cli.model import Role, events_of, read_model
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.model.artefact import ISOLATION
from pipeline.domain.kernel import events as ev
from pipeline.events import Actor
from tests.backtest.files import csv_file, labels_file
from tests.fraud.logs import NOON
from tests.fraud.plain_log import assert_agreed, records
from tests.fraud.test_log import NO_RULES, payment
from tests.fraud_publishing.publishing import in_role, model_parts, published
from tests.fraud_rules.sets import rule, rule_set
from tests.kernel.side_by_side import Log, assert_alike


@pytest.fixture
def trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Train of 400 payments of about 20 EUR, without labels and without xgboost."""
    chance = Random(3)
    rows = [
        {
            "debtor_account_id": f"d{number % 40}",
            "amount_minor": str(chance.randrange(15_00, 25_00)),
            "occurred_at": f"2026-03-{1 + number // 40:02}T{9 + number % 8:02}:30:00Z",
        }
        for number in range(400)
    ]
    payments = csv_file(tmp_path / "p.csv", *rows)
    out = tmp_path / "strange.model"
    code = main(["train", "--anomaly", "--payments", str(payments), "--out", str(out), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0 and (told["payments"], told["frauds"]) == (400, 0)
    assert told["figures"]["alert_rate"] <= 0.001
    return out


def test_it_is_trained_without_labels_the_same_each_time(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    model = Fitted(trained.read_bytes())
    assert model.model.kind == ISOLATION and all(sum(one.bins.shares_e6) for one in model.model.features)
    payments, again = tmp_path / "p.csv", tmp_path / "again.model"
    code = main(["train", "--anomaly", "--payments", str(payments), "--out", str(again)])
    learned, threshold, name = capsys.readouterr().out.splitlines()
    assert code == 0 and again.read_bytes() == trained.read_bytes()
    assert learned.startswith("400 payments, from 2026-03-01 to 2026-03-1") and model.name in name
    assert threshold.startswith("review from ") and threshold.endswith(" % of them")
    more = tmp_path / "more.model"
    code = main(
        ["train", "--anomaly", "--strange-e6", "50000", "--payments", str(payments), "--out", str(more)]
    )
    assert code == 0 and Fitted(more.read_bytes()).model.review_from_bp < model.model.review_from_bp


def test_a_strange_payment_is_held_and_the_decision_names_why(trained: Path) -> None:
    data = read_model(trained, Role.ANOMALY).data
    name = Fitted(data).name
    made = events_of(
        read_model(trained, Role.ANOMALY), Role.ANOMALY, None, None, Actor(issuer="ops", subject="anna")
    )
    assert [type(one).__name__ for one in made] == ["FraudModelPartPublished", "FraudModelPublished"]
    asks = rule_set(rule("asks", "anomaly_score > 1 %", score=1), set_id="asks")
    parts = model_parts(data, len(data))
    log: Log = [(one, NOON) for one in (NO_RULES, published(asks), *parts)]
    log.append((in_role(data, len(parts), "ANOMALY", None, 0), NOON))
    for number in range(20):
        log.append((payment(number, 20_00, NOON + number * 3_600_000_000), NOON + number * 3_600_000_000))
    late = NOON + 21 * 3_600_000_000
    strange = payment(
        50, 9_999_999_99, late, creditor_account_id="nobody", device_id="new", counterparty_country="KP"
    )
    log.append((strange, late))
    stream = FraudLog()
    replay = assert_alike(stream, FraudLogBatch(stream), log, [9])
    decided = [one for _, one in replay.said["ledger-commands"] if type(one) is ev.PaymentDecided]
    held = decided[-1]
    assert decided[0].rules_version == f"asks@1, default@1; anomaly {name}"
    assert held.outcome == "REVIEW"
    labels = [one.rule for one in held.reasons]
    assert labels[0] == "asks@1" and len(labels) > 1
    assert all(one.startswith("anomaly:") for one in labels[1:])
    assert decided[0].outcome == "APPROVE"
    assert assert_agreed(records(log))


def test_a_backtest_takes_it_beside_the_rules(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = labels_file(tmp_path / "l.csv", ("p3", "FRAUD", "2026-03-09T00:00:00Z"))
    out = tmp_path / "o.csv"
    given = ["--payments", str(tmp_path / "p.csv"), "--labels", str(labels), "--model", str(trained)]
    assert main(["backtest", *given, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == [{"name": Fitted(trained.read_bytes()).name}]
