"""What can go wrong with personal data. No text of an error has plain text or a key in it."""

from __future__ import annotations


class PersonalDataError(ValueError):
    """A value, a record or a file is not what it has to be: trying again does not help."""


class CannotOpen(PersonalDataError):
    """A protected value is damaged, or was moved from another place or person."""


class PersonErased(PersonalDataError):
    """The keys of a person were destroyed: nothing of that person opens, and nothing new is written."""


class KeysUnavailable(Exception):
    """The key store or the key that wraps its keys cannot be reached: wait and try again, or refuse."""
