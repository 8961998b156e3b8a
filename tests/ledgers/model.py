"""Where the independent model of the ledger is: the only file of this folder that knows."""

from tests.chaos.ledger_model import Branch as Model
from tests.chaos.log_reader import Record
from tests.chaos.side_by_side import first_difference
from tests.chaos.tenants_model import Tenants
from tests.chaos.wire import COMMANDS, TABLE

__all__ = ["COMMANDS", "TABLE", "Model", "Record", "Tenants", "first_difference"]
