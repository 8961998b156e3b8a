"""A bank's own payments, decided as the fraud stream would have decided them."""
