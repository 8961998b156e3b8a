"""What each tenant may do: quotas, currencies, closed tenants."""
