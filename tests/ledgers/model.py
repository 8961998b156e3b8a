"""Where the independent model of the ledger is: the only file of this folder that knows."""

from pipeline.verify.journal import Journal
from pipeline.verify.model.ledger import Branch as Model
from pipeline.verify.model.record import Record
from pipeline.verify.model.tenants import Tenants
from pipeline.verify.model.wire import COMMANDS, TABLE
from tests.chaos.judge import Problems
from tests.chaos.side_by_side import first_difference

__all__ = ["COMMANDS", "TABLE", "Journal", "Model", "Problems", "Record", "Tenants", "first_difference"]
