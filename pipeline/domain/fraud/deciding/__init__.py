"""Decisions about payments: rules that hold and models, for one payment and for many."""
