"""Checking claims: what must be supported, what must never be."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.cite import check
from rag.config import load
from rag.specialists import Specialist, read
from rag.types import Check, Verdict

CHECKING = read(load({}).specialist, Specialist).checking

LEASE = (
    "The Tenant shall give the Landlord not less than thirty (30) days' written notice before vacating the premises.",
    "Rent of $1,200.50 is due on the first day of each month.",
    "This Lease begins on 1 March 2024 and ends on February 28, 2026.",
    "No pets are allowed without the prior written consent of the Landlord, Mary Higgins.",
    "The late fee is five percent (5%) of the monthly rent and may be waived by the Landlord.",
)
SENTENCES = (
    *LEASE,
    "The Employee shall not disclose Confidential Information to any third party for five years.",
    "Net revenue increased by 12.5% to $3.4 million in the quarter ended June 30, 2023.",
    "Pupils must return the permission slip to Ms. Alvarez at least 10 days before the trip.",
    "The Receiving Party may terminate this Agreement upon sixty (60) days' notice.",
    "Smoking is prohibited within 25 feet of any entrance of the Hargrove Building.",
)


def judged(claim: str, *sources: str) -> Check:
    return check(claim, sources or LEASE, CHECKING)


@pytest.mark.parametrize(
    "claim",
    [
        "The tenant must give at least 30 days' written notice before vacating the premises.",
        "According to the lease, the tenant must give 30 days' written notice before vacating.",
        "Rent of USD 1200.50 is due on the 1st day of each month.",
        "The lease begins on March 1, 2024 and ends on 2026-02-28.",
        "The lease ends on 28 February 2026.",
        "Pets are not allowed without the written consent of the landlord.",
        "The landlord is Mary Higgins.",
        "The late fee is 5 per cent of the monthly rent.",
        "The late fee can be waived by the landlord.",
        "The late fee is 5% of the monthly rent. The lease begins on March 1, 2024.",
    ],
)
def test_same_facts_in_other_clothes_are_supported(claim: str) -> None:
    found = judged(claim)
    assert found.verdict is Verdict.SUPPORTED, found
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("The tenant must give at least 60 days' notice before vacating.", "60 days"),
        ("The tenant must give at least 30 months' written notice before vacating.", "30 months"),
        ("The tenant must give 30 business days' notice before vacating.", "30 business days"),
        ("The tenant must give at most 30 days' written notice before vacating.", "30 days"),
        ("The tenant may give the landlord at least 30 days' written notice.", "may"),
        ("Rent of $1,250 is due on the first day of each month.", "$1,250"),
        ("Rent of $1,200.50 is due on the last day of each month.", "last"),
        ("The lease begins on March 2, 2024.", "March 2, 2024"),
        ("The lease begins on February 28, 2026.", "February 28, 2026"),
        ("Pets are allowed without the prior written consent of the Landlord.", "No"),
        ("Pets are allowed.", "No"),
        ("No pets are allowed without the consent of the Landlord, Mary Hoggins.", "Hoggins"),
        ("The late fee is 6% of the monthly rent.", "6%"),
        ("The late fee must be waived by the Landlord.", "must"),
        ("The late fee may not be waived by the landlord.", "not"),
        ("The late fee is 5% of the monthly rent. The lease begins on May 9, 2024.", "May 9"),
        ("The moon is made of cheese.", "moon"),
    ],
)
def test_a_twisted_fact_is_not_supported_and_the_reason_names_it(claim: str, told: str) -> None:
    found = judged(claim)
    assert found.verdict is not Verdict.SUPPORTED
    assert found.support < CHECKING.supported
    assert told in " ".join(found.reasons)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        (
            "Either party may terminate on 30 days notice.",
            "Neither party may terminate on 30 days notice.",
        ),
        ("Revenue increased by 5%.", "Revenue decreased by 5%."),
        ("30 days for rent and 60 days for repairs", "60 days for rent and 30 days for repairs"),
        ("The tenant shall pay the landlord.", "The landlord shall pay the tenant."),
        ("It is suitable.", "It is unsuitable."),
        ("Temperature fell to 5 degrees.", "Temperature fell to -5 degrees."),
        ("Sign under section 4.3.2", "Sign under section 4.3.1"),
        ("Sign under clause 12(c)", "Sign under clause 12(b)"),
        ("Room AX-13 is open", "Room AX-12 is open"),
        ("The account is 12345678901234567890.", "The account is 12345678901234567891."),
        ("Tenants may assign the lease.", "No tenants may assign the lease."),
    ],
)
def test_a_line_changed_in_one_place_does_not_support(claim: str, source: str) -> None:
    assert judged(claim, source).verdict is not Verdict.SUPPORTED
    assert judged(source, source) == Check(Verdict.SUPPORTED, 1.0)


def test_a_number_of_another_line_does_not_excuse_a_changed_one() -> None:
    lines = ("The fee for rooms is 30 dollars a day.", "The fee for halls is 60 dollars a day.")
    assert judged("The fee for halls is 60 dollars a day.", *lines).support == 1.0
    found = judged("The fee for rooms is 60 dollars a day.", *lines)
    assert found.verdict is not Verdict.SUPPORTED
    assert "30 dollars" in found.reasons[0]


def test_nothing_said_and_nothing_cited_have_reasons() -> None:
    for claim, sources in (
        ("", LEASE),
        ("…", LEASE),
        ("Rent is due.", ()),
        ("Rent is due.", (" ",)),
    ):
        found = check(claim, sources, CHECKING)
        assert found.verdict is Verdict.UNSUPPORTED
        assert found.support == 0.0
        assert found.reasons


def test_a_long_text_is_cut_into_its_sentences() -> None:
    assert judged(LEASE[2], "\n".join(LEASE)) == Check(Verdict.SUPPORTED, 1.0)


def test_one_bad_sentence_spoils_the_claim_but_not_all_of_its_support() -> None:
    bad = "The lease begins on May 9, 2021."
    found = judged(f"{LEASE[1]} {bad}")
    assert found.verdict is Verdict.PARTLY
    assert judged(bad).support < found.support < CHECKING.supported


def test_a_claim_without_facts_in_common_ranks_below_a_loose_one() -> None:
    loose = judged("Whoever rents must tell the owner thirty days before moving out.")
    assert judged("Bicycles are stored behind the chapel.").support < loose.support


def laid_out(text: str, chance: random.Random) -> str:
    """Return a text as another page might have it: lines broken, words hyphenated, ligatures."""
    text = text.replace("fi", "\ufb01").replace("ff", "\ufb00").replace("'", "\u2019")
    words = []
    for word in text.split(" "):
        where = chance.randrange(2, 5)
        broken = word.isalpha() and word.isascii() and len(word) > 6 and chance.random() < 0.3
        words.append(word[:where] + "-\n" + word[where:] if broken else word)
    return "".join(word + chance.choice((" ", " ", "\n", "  ")) for word in words).strip()


@settings(max_examples=40)
@given(st.sampled_from(SENTENCES), st.randoms(use_true_random=False), st.booleans())
def test_a_quote_is_supported_however_the_page_is_laid_out(
    sentence: str, chance: random.Random, capitals: bool
) -> None:
    source = laid_out(sentence, chance)
    others = [other for other in SENTENCES if other != sentence]
    claim = sentence.upper() if capitals else sentence
    expected = Check(Verdict.SUPPORTED, 1.0)
    assert judged(claim, *others, source) == expected
    assert judged(source, *others, sentence) == expected


def numbered(sentence: str, number: int) -> str | None:
    """Return a sentence with its first plain number of digits replaced."""
    for word in sentence.split(" "):
        bare = word.strip("(),.%$")
        if bare.isdigit() and int(bare) != number and f"({bare})" not in sentence:
            return sentence.replace(bare, str(number), 1)
    return None


@settings(max_examples=40)
@given(st.sampled_from(SENTENCES), st.integers(2, 10**6), st.booleans())
def test_a_quote_with_another_number_is_never_supported(
    sentence: str, number: int, capitals: bool
) -> None:
    changed = numbered(sentence, number)
    if changed is None:
        return
    claim = changed.upper() if capitals else changed
    assert judged(claim, *SENTENCES).verdict is not Verdict.SUPPORTED


NAMES = ("Higgins", "Alvarez", "Hargrove", "Tenant", "Landlord", "Employee")


@settings(max_examples=40)
@given(
    st.sampled_from([s for s in SENTENCES if any(name in s for name in NAMES)]),
    st.sampled_from(["Ortega", "Whitcombe", "Zhang", "Brandywine", "Okafor"]),
    st.sampled_from([str, str.upper, str.lower]),
)
def test_a_quote_with_another_name_is_never_supported(
    sentence: str, name: str, written: type[str]
) -> None:
    old = next(known for known in NAMES if known in sentence)
    claim = written(sentence.replace(old, name, 1))
    assert judged(claim, *SENTENCES).verdict is not Verdict.SUPPORTED


VERBS = (" is ", " are ", " shall ", " may ", " must ")


@given(
    st.sampled_from([s for s in SENTENCES if sum(verb in s for verb in VERBS) == 1]),
    st.booleans(),
)
def test_a_quote_with_a_not_more_or_less_is_never_supported(sentence: str, dropped: bool) -> None:
    verb = next(verb for verb in VERBS if verb in sentence)
    negated = sentence.replace(verb + "not ", verb).replace(verb, verb + "not ", 1)
    plain = sentence.replace(verb + "not ", verb)
    claim, source = (plain, negated) if dropped else (negated, plain)
    if not sentence.startswith("No "):
        assert judged(claim, source).verdict is not Verdict.SUPPORTED


@settings(max_examples=100)
@given(st.text(max_size=300), st.lists(st.text(max_size=200), max_size=4))
def test_any_text_gets_a_verdict_and_the_same_one_again(claim: str, sources: list[str]) -> None:
    found = check(claim, sources, CHECKING)
    assert 0.0 <= found.support <= 1.0
    assert (found.verdict is Verdict.SUPPORTED) == (found.support >= CHECKING.supported)
    assert found == check(claim, sources, CHECKING)


@given(st.sampled_from(SENTENCES), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_form_of_unicode_does_not_matter(sentence: str, form: str) -> None:
    text = unicodedata.normalize(form, sentence.replace("e", "\u00e9"))  # type: ignore[arg-type]
    assert judged(text, sentence.replace("e", "\u00e9")) == Check(Verdict.SUPPORTED, 1.0)
