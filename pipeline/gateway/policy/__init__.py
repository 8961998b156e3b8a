"""What a principal may do, by tenant: roles, scopes and masks of one typed file."""
