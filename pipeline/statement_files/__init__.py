"""Statements of banks as files: each format is read into one plain form, and that becomes events.

    camt.053, MT940, BAI2, CSV --> form.Statement --> checks --> statement_line, statement_closed
    camt.054                   --> form.Notice    --> details of lines that a statement has

Nothing here sends anything, and nothing knows of Kafka.
"""
