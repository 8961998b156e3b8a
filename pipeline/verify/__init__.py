"""`ledgerflow verify`: an independent check of the design's invariants, from the topics alone.

report = verify(settings.librdkafka(), settings.registry(), manifests=[path], workers=[url])
report.ok, report.to_json()
"""

from pipeline.verify.log_error import LogError
from pipeline.verify.present import PresentSettings
from pipeline.verify.report import Check, Report
from pipeline.verify.verifier import verify

__all__ = ["Check", "LogError", "PresentSettings", "Report", "verify"]
