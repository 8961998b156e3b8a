"""Training: from payments and labels to a model of integers.

Only this package knows xgboost, which is an extra (`train`).
"""
