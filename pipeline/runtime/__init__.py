"""What runs the domain: settings, local stack, columnar transport, transactional tables, transactions."""
