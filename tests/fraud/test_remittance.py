"""References split into a creditor reference and the text beside it."""

from __future__ import annotations

import pytest

from schemas.remittance import TEXT_CHARS_MAX, creditor_reference, is_creditor_reference, split

REFERENCE = "RF18539007547034"
OTHER = "RF712348231"
SHORT = creditor_reference("A")
LONG = creditor_reference("A1B2C3D4E5F6G7H8I9J0K")
"""The longest: 21 characters behind the check digits."""


def on_paper(reference: str) -> str:
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


@pytest.mark.parametrize("text", [REFERENCE, OTHER, "RF18000000000539007547034", SHORT, LONG])
def test_right_check_digits_make_a_reference(text: str) -> None:
    assert is_creditor_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RF18",
        "RF19539007547034",  # another check digit
        "RF18539007547043",  # two digits swapped
        "rf18539007547034",
        "RF18 5390 0754 7034",
        "RF18-539007547034",
        "FR18539007547034",
        f"{REFERENCE}\n",
        "RF١٨539007547034",  # digits, but not these
        "RF1853900754703é",
        f"{creditor_reference('0' * 21)}0",  # 22 characters
    ],
)
def test_what_is_no_reference_as_it_stands_is_refused(text: str) -> None:
    assert not is_creditor_reference(text)


def test_each_body_has_one_pair_of_check_digits_and_no_alias() -> None:
    for number in range(300):  # every remainder comes up
        right = [digits for digits in range(100) if is_creditor_reference(f"RF{digits:02}{number}")]
        assert [f"RF{digits:02}{number}" for digits in right] == [creditor_reference(str(number))]


@pytest.mark.parametrize(
    ("reference", "creditor", "text"),
    [
        # No reference: the text as it stands.
        ("", None, None),
        ("   ", None, None),
        ("lunch", None, "lunch"),
        (" two  words ", None, " two  words "),
        ("\t", None, "\t"),
        ("INV-7-12", None, "INV-7-12"),
        ("RF19 5390 0754 7034 rent", None, "RF19 5390 0754 7034 rent"),
        # One word, or groups of four as on paper; small letters, and spaces around it.
        (REFERENCE, REFERENCE, None),
        (REFERENCE.lower(), REFERENCE, None),
        (f"  {REFERENCE} ", REFERENCE, None),
        ("RF18 5390 0754 7034", REFERENCE, None),
        ("rf18  5390 0754   7034", REFERENCE, None),
        (on_paper(OTHER), OTHER, None),
        (on_paper(SHORT), SHORT, None),
        (LONG, LONG, None),
        (on_paper(LONG), LONG, None),
        # With words around it.
        (f"invoice  7 {REFERENCE}  thanks ", REFERENCE, "invoice 7 thanks"),
        ("rent of May RF18 5390 0754 7034", REFERENCE, "rent of May"),
        ("RF18 5390 0754 7034 for Anna", REFERENCE, "for Anna"),
        ("RF18 5390 0754 7034 Q", REFERENCE, "Q"),
        # The same one twice is one; two are none.
        (f"{REFERENCE} RF18 5390 0754 7034", REFERENCE, None),
        (f"{REFERENCE} and {REFERENCE}", REFERENCE, "and"),
        (f"{REFERENCE} {OTHER}", None, f"{REFERENCE} {OTHER}"),
        # Other groups, other separators, and what touches it: not a reference.
        ("RF185390 07547034", None, "RF185390 07547034"),
        ("RF18 539 007 547 034", None, "RF18 539 007 547 034"),
        ("RF 18539007547034", None, "RF 18539007547034"),
        (f"{REFERENCE},", None, f"{REFERENCE},"),
        (f"Ref:{REFERENCE}", None, f"Ref:{REFERENCE}"),
        (f"invoice\t{REFERENCE}", None, f"invoice\t{REFERENCE}"),
        ("RF18\N{NO-BREAK SPACE}5390 0754 7034", None, "RF18\N{NO-BREAK SPACE}5390 0754 7034"),
        ("RF18 5390 0754 703ſ", None, "RF18 5390 0754 703ſ"),  # its upper case is an S
    ],
)
def test_a_reference_is_split(reference: str, creditor: str | None, text: str | None) -> None:
    assert split(reference) == (creditor, text)


def test_a_text_that_can_be_read_as_two_references_has_none() -> None:
    """Behind the groups stands a short word with which the check digits are right as well."""
    words = (f"{number:X}" for number in range(16**4))
    word = next(word for word in words if is_creditor_reference(f"{REFERENCE}{word}"))
    assert split(f"pay RF18 5390 0754 7034 {word}") == (None, f"pay RF18 5390 0754 7034 {word}")
    # But the whole text is one reference, whatever else could be read in it.
    assert split(f"RF18 5390 0754 7034 {word}") == (f"{REFERENCE}{word}", None)


def test_a_text_that_no_payment_can_carry_is_not_looked_into() -> None:
    fits = f"{REFERENCE} {'x' * (TEXT_CHARS_MAX - len(REFERENCE) - 1)}"
    assert split(fits)[0] == REFERENCE
    assert split(f"{fits}x") == (None, f"{fits}x")
