"""Tenants, currencies and their rates in a run, and the days of populations."""

from __future__ import annotations

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.account_rows import RatesOfTenants, rates_key
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.layout import N_DAY
from pipeline.domain.kernel.rows import PrefetchingRows


class RunMoney:
    """The currencies of a run."""

    def __init__(self, rows: PrefetchingRows, rates: RatesOfTenants) -> None:
        self._rows, self._of = rows, rates
        self._tenants: dict[str, int] = {}
        self._currencies: dict[tuple[str, str], int] = {}
        """With the number of the tenant."""
        self._days: dict[bytes, int] = {}
        """By population: the day that is open."""

    def tenant(self, tenant_id: str, currency: str) -> int:
        """Return the number of a tenant in the run, and note one of its currencies."""
        found = self._currencies.get((tenant_id, currency))
        if found is None:
            found = self._tenants.setdefault(tenant_id, len(self._tenants))
            self._currencies[tenant_id, currency] = found
        return found

    def begin_anew(self) -> None:
        """Forget the tenants: what named them is done.

        The day of a tenant's population begins with work of its own, and a run may have thousands of tenants:
        the rates of all of them each time would be work by the square of their number.
        """
        self._tenants, self._currencies = {}, {}

    def rates(self) -> Rates:
        """Return the rates of all tenants and currencies so far, by the rows. Raises UnreadableRow."""
        named = sorted(self._currencies)
        found = self._rows.get_many([rates_key(*one) for one in named])
        rates = []
        for tenant_id in self._tenants or ("",):
            of = [(one[1], row) for one, row in zip(named, found, strict=True) if one[0] == tenant_id]
            rates.append(self._of.of([name for name, _ in of], [row for _, row in of]))
        return Rates.together(rates)

    def opens_day(self, population: bytes, day: int) -> bool:
        """Return whether a payment, whose day is given, closes the day of its population.

        What is before it must be in that day, and what comes after it in the next one.
        """
        known = self._days.get(population)
        if known is None:
            row = self._rows.get(population)
            known = 0 if row is None else int(at.states_of(at.POPULATION, [row])[0, N_DAY])
        self._days[population] = max(day, known)
        return day > known
