"""Rows of earlier versions that nothing reads any more.

    f tenant account -> the profile of a debtor, before there were states of features

Windows and habits of a profile cannot be compared with those of states: amounts were of any currency, and
payees had no rows. So it is not upgraded. It is deleted when the debtor's first state is made.
"""

from __future__ import annotations

from pipeline.domain.kernel.layouts import RowKind

PROFILE_ROW = RowKind("fraud", "profile", "f")
