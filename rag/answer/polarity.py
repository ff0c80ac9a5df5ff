"""Words that turn a sentence around: negation, opposites, and how binding a verb is.

A small table of common English opposites, made by hand, and the prefixes that make more of them
(``suitable``, ``unsuitable``). It knows words, not meaning: "opposite" is a reason to look again,
never a proof. Everything is in stems, as :func:`rag.answer.words.stem` makes them.
"""

from __future__ import annotations

from functools import cache
from itertools import product

from rag.answer.words import stem

NEGATIONS = frozenset(
    ("not", "no", "never", "none", "nothing", "neither", "nor", "without", "nobody", "nowhere")
)
"""Casefolded words that negate what follows."""

TURNING = frozenset(("except", "unless"))
"""Words that turn around what they stand before, like a negation."""

BINDING = {
    "shall": "must",
    "must": "must",
    "required": "must",
    "will": "must",
    "may": "may",
    "can": "may",
    "could": "may",
    "might": "may",
    "should": "should",
    "ought": "should",
}
"""How binding a verb is: a duty, a right or possibility, or advice."""

_OPPOSITES = """
increase rise grow gain raise up higher upward expand climb surge more extend soar enlarge boost : decrease fall drop decline reduce shrink lose down lower downward less fewer cut diminish slump plunge reduction
before prior earlier previous precede : after following later subsequent follow
always : never
ever : never
all every everyone each entire both : none no nobody neither
some : none all no
many much several numerous : few little
most : least few
more : less fewer
maximum most highest largest biggest : minimum least lowest smallest
large big great major huge : small little minor tiny mini
high tall : low short
long lengthy : short brief
first initial : last final second
begin start commence open launch opening : end finish cease stop close conclude terminate closing
early : late
old ancient elderly : new young modern recent
new latest : old former existing
present current now : past former previous
include contain including : exclude omit excluding except
accept agree approve allow permit consent welcome support grant authorise authorize enable : reject refuse disagree disapprove forbid prohibit deny oppose decline ban bar prevent disallow
allow permit enable let : prevent prohibit forbid ban bar block
mandatory required compulsory obligatory must : optional voluntary discretionary
require oblige : permit exempt
public : private
inside within internal indoor : outside external outdoor
above over : below under beneath
left : right
north northern : south southern
east eastern : west western
buy purchase acquire : sell
buyer purchaser : seller vendor
lend lender : borrow borrower
lessor landlord : lessee tenant
employer : employee
plaintiff claimant : defendant
licensor : licensee
disclose reveal disclosing : conceal hide withhold receiving
receive get obtain : give send provide
arrive : depart leave
enter : exit leave
win winner victory victorious beat defeat : lose loser defeat loss
success succeed successful : failure fail unsuccessful
true correct right accurate : false incorrect wrong inaccurate
good better best positive favourable favorable benefit advantage strength improve improvement : bad worse worst negative unfavourable unfavorable harm disadvantage drawback weakness worsen deteriorate
strong strengthen strongly : weak weaken weakly
easy simple : difficult hard complex complicated
fast quick rapid quickly accelerate : slow slowly decelerate
safe safety : dangerous unsafe danger risky
cheap inexpensive affordable : expensive costly
rich wealthy : poor
hot warm : cold cool
light bright glowing : dark dim
day daily : night nightly
day : week month year
annual annually yearly : monthly weekly daily quarterly
monthly : weekly daily annual
morning : evening afternoon night
today : tomorrow yesterday
love like enjoy : hate dislike loathe
happy glad pleased satisfied : sad unhappy upset angry dissatisfied disappointed
friend ally : enemy stranger foe
alive live living birth born : dead die death died
male man men boy husband father son brother : female woman women girl wife mother daughter sister
similar same alike identical : different distinct dissimilar
common often frequently usual : rare seldom rarely unusual occasionally
full : empty partial
total complete whole entire : partial incomplete
together jointly joint : separately several alone individually
temporary : permanent
exclusive : nonexclusive
direct directly : indirect indirectly
voluntary willingly : involuntary unwillingly
valid enforceable binding : void invalid unenforceable
lawful legal : unlawful illegal
known familiar : unknown unfamiliar
certain sure likely : uncertain unsure unlikely doubtful
possible : impossible
able capable : unable incapable
ability : inability
available : unavailable
written writing : oral verbal
active : passive inactive
formal : informal
local domestic national : foreign international global
urban city : rural
major majority : minority
guilty convict : innocent acquit
attack : defend
hire employ recruit : fire dismiss
appoint : dismiss remove
add attach : remove subtract delete
build create construct establish : destroy demolish abolish
push : pull
rent lease : own
profit : loss
asset : liability
income revenue : expense expenditure cost
debit debt : credit
credit : cash
import : export
supply : demand
teacher : student pupil
parent : child
parents : children
doctor : patient
agent : client customer
question ask : answer reply
remember recall : forget
encourage motivate promote promotion inspire : discourage demotivate deter boycott
trust confident confidence : distrust doubt suspicious
peace : war
optimal best : suboptimal worst
simple : sophisticated
online : offline
manual : automatic
generic general broad : specific particular narrow
original : copy
unique : ordinary common
real actual genuine : fake false artificial
majority : minority
single : multiple several
primary main : secondary
upper : lower
top : bottom
near close nearby : far distant remote
wide : narrow
deep : shallow
thick : thin
heavy : light
hard : soft
wet : dry
clean : dirty
loud : quiet
visible : invisible
careful : careless
useful : useless
unlimited : limited
flexible : inflexible rigid
free gratis : paid
paid : unpaid
despite notwithstanding : because due
increase : maintain
sunny : cloudy rainy
confirm : deny
remain stay : leave change
attend : miss
join : leave
pass : fail
married : divorced unmarried single
retain keep : return destroy lose
during : after before
"""

ABSOLUTES = frozenset(("onli", "alway", "never", "all", "everi", "exclus", "sole"))
"""Stems of words that leave no exception."""

_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "mis", "sub", "de", "anti")


@cache
def _sides() -> list[tuple[frozenset[str], frozenset[str]]]:
    rows = [row.split(":") for row in _OPPOSITES.strip().splitlines()]
    return [
        (frozenset(map(stem, one.split())), frozenset(map(stem, two.split()))) for one, two in rows
    ]


@cache
def opposites() -> dict[str, frozenset[str]]:
    """Return for each stem the stems that say the opposite."""
    found: dict[str, set[str]] = {}
    for one, two in _sides():
        for left, right in product(one - two, two - one):
            found.setdefault(left, set()).add(right)
            found.setdefault(right, set()).add(left)
    return {word: frozenset(others) for word, others in found.items()}


def kindred(one: str, two: str) -> bool:
    """Whether two stems stand on the same side of a pair of opposites: "rise" and "increase"."""
    return any(one in side and two in side for sides in _sides() for side in sides)


def prefixed(word: str) -> list[str]:
    """Return the forms that a prefix makes of a casefolded word, or that lose their prefix."""
    forms = [prefix + word for prefix in _PREFIXES] + [word + "less"]
    forms += [word[len(p) :] for p in _PREFIXES if word.startswith(p) and len(word) > len(p) + 3]
    return forms
