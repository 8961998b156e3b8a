"""The operator's file of tenants, which three streams use. It must be the same for all workers.

file of tenants --> fraud (who may initiate payments, and how many), ledger (who may open which accounts,
                     what needs two people), lifecycle (which reviews do)
"""

from __future__ import annotations

from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants, TenantsSettings, parse_tenants
from pipeline.runtime.operator_files import TENANTS
from topologies.configuration import Configuration


def tenants(configuration: Configuration) -> Tenants:
    """Return the tenants of the operator's file; without one nothing is restricted. Raises SettingsError."""
    path = configuration.of(TenantsSettings).file
    return UNRESTRICTED if path is None else configuration.file(TENANTS, path, parse_tenants)
