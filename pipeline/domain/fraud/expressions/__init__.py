"""Fraud rules as data: a small typed language over a catalogue of features, and sets of such rules.

file or event -> rule sets (rule_sets) -> which of them hold (holding) -> compiled -> fired -> weighed
text -> tokens -> syntax tree (parsing) -> units checked (checking) -> by columns or by rows, the same answers
"""
