"""What runs the domain: settings, the local stack, the columnar transport, transactional tables, transactions."""
