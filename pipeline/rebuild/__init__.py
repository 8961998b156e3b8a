"""Computes the balances again from the logs alone, and compares them account by account.

    postings        -> summed up                -> compared with the balances topic        (`postings`)
    ledger-commands -> the rules installed here -> compared with a snapshot of the table   (`replay`)
                       all branches together: they send each other their commands again (`causal`, `between`)

    differences of balances    -> correcting journals, as proposals                        (`proposals`)

Nothing is written to Kafka here. Progress and rows are kept in a folder of their own (`scratch`), so an
interrupted run continues where it was, a later run reads only new records, and memory does not grow with the
accounts.
"""
