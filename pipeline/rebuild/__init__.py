"""What the tables say, made again from the logs alone, and held against them account by account.

    postings        -> fold                     -> beside the balances topic        (`postings`)
    ledger-commands -> the rules installed here -> beside a snapshot of the table   (`replay`)
                       all branches together: what they ask of each other is said again (`causal`, `between`)

Nothing is written to Kafka. What is read is kept in a folder of its own (`scratch`), so an interrupted run
goes on where it stood, a later one reads what came since, and memory does not grow with the accounts.
"""
