"""Tests of groups, reversals and kinds of breaks: tales worked out by hand, properties, brute force."""
