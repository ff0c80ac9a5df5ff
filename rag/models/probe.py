"""Texts of the kinds Muniment embeds, for checking and timing a prepared model.

Written for this purpose, of the lengths that passages and questions have, with the figures,
clauses and lists that a rounded model is likeliest to get wrong.
"""

from __future__ import annotations

_LEASE = """The Landlord lets and the Tenant takes the premises known as Suite 4B, 18 Harbour Street, \
for a term of five (5) years beginning on 1 March 2019 and ending on 29 February 2024. The Tenant \
shall pay a base rent of $4,250.00 a month, in advance, on the first business day of each month."""
_NOTICE = """Either party may end this Agreement by giving the other not less than ninety (90) days' \
written notice, sent by registered post to the address stated in Section 12(b). Notice takes effect \
on the third day after posting. Section 4.3.1 and the duties of confidence survive termination."""
_CONFIDENCE = """"Confidential Information" means all information, in whatever form, that the Disclosing \
Party marks as confidential or that a reasonable person would take to be so, except information \
that (i) is or becomes public without breach, (ii) was known before, or (iii) is developed \
independently by employees who had no access to it."""
_REPORT = """Net sales for the three months ended June 30, 2023 rose 8% to $81,797 million, compared \
with $82,959 million a year earlier. Gross margin percentage was 44.5%, up from 43.3%, owing to a \
different mix of products and lower cost of components, partly offset by weaker foreign currencies."""
_TABLE = """Cash and cash equivalents 28,408 29,965
Marketable securities 34,074 31,590
Accounts receivable, net 19,549 29,508
Inventories 7,351 6,331
Total current assets 122,659 143,566"""
_SCHOOL = """Pupils arrive by 8:15 a.m. and go directly to their classroom. A pupil who arrives after \
8:30 signs in at the front office and is marked late. Five late arrivals in one term lead to a \
conversation with the parents; absences of more than three days need a note from a physician."""
_TRIP = """For every field trip the teacher in charge collects signed permission forms at least ten \
days ahead. One adult accompanies every eight pupils in grades K-5, and every twelve in grades 6-8. \
Medicines are carried by the school nurse or by the adult she names in writing."""
_SYLLABUS = """Week 6: the water cycle. Read chapter 9, pages 141-158. Evaporation turns liquid water \
into vapour; condensation forms clouds; precipitation returns it to the ground. Homework: draw the \
cycle and label each step. Quiz on Thursday, worth 10 points."""
_ACCIDENT = """At 14:52 local time the aircraft departed from the centerline of runway 27L and came to \
rest 310 metres beyond its end. The two pilots were unhurt; one passenger suffered a minor injury. \
Post-accident examination found no evidence of engine malfunction before the impact."""
_LETTER = """Dear Ms. Okafor, thank you for asking us to act for you in the sale of your share in the \
partnership. Our fee is $310 an hour; we expect the work to take between twelve and fifteen hours. \
We shall ask before it exceeds that. Please sign and return one copy of this letter."""
_MINUTES = """Present: A. Lindqvist (chair), R. Moreau, T. Adeyemi. Apologies: S. Park. The minutes of \
14 May were approved without changes. Resolved, with one abstention, that the reserve fund be \
raised to 15% of annual dues from 1 January."""
_CODE = """Any person who, without authority, removes a record from the registry commits an offence \
and is liable on conviction to a fine not exceeding level 3 on the standard scale, unless he proves \
that he had reasonable cause to believe that the record was his own."""

TEXTS: tuple[str, ...] = (
    _LEASE,
    _NOTICE,
    _CONFIDENCE,
    _REPORT,
    _TABLE,
    _SCHOOL,
    _TRIP,
    _SYLLABUS,
    _ACCIDENT,
    _LETTER,
    _MINUTES,
    _CODE,
    f"{_LEASE} {_NOTICE}",
    f"{_REPORT}\n{_TABLE}",
    f"{_SCHOOL} {_TRIP}",
    f"{_CONFIDENCE} {_CODE}",
    "How much notice must the tenant give?",
    "What was the gross margin in the second quarter of 2023?",
    "Who signs the permission form for a field trip, and by when?",
    "Does the agreement allow the receiving party to keep copies?",
    "When does the 2019 lease of Suite 4B end?",
    "What is the penalty for removing a record?",
    "Termination for convenience",
    "4.3.1 Indemnification",
)
