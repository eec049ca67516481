package proof

import (
	"strings"
	"sync"

	"github.com/research-mcp/research-mcp/internal/text"
)

// opposites are words that turn a statement round when one takes the other's place:
// each word on the left of a line is opposed to each on its right.
const opposites = `
above over | below beneath under underneath
absent missing | present
absolute | relative
abstract | concrete
abundant plentiful | rare scarce
accept approve allow permit grant | reject refuse deny forbid prohibit ban decline disallow
accurate correct right exact precise | inaccurate incorrect wrong false imprecise mistaken
acquire gain obtain | lose forfeit
active | inactive passive idle dormant
acute | chronic
add append attach insert include | remove delete drop detach exclude omit subtract strip discard
advance | retreat withdraw
advantage benefit strength upside | disadvantage drawback downside weakness
affirm confirm assert | deny refute
agree | disagree dissent
alive living | dead extinct
all | none
ally friend | enemy foe
always | never
ancestor | descendant
ancient old | new modern recent
appear emerge | disappear vanish
arrive | depart
ascend climb | descend
ascending | descending
asleep | awake
asynchronous | synchronous
attack | defend
attract | repel
automatic automatically | manual manually
backward backwards | forward forwards
begin start commence open launch | end finish stop close cease conclude terminate halt
better best | worse worst
big large huge great enormous vast major | small little tiny minor minute
birth born | death died
bitter | sweet
black | white
bless | curse
bold | timid
bottom | top
bound | unbound free
brave | cowardly
break damage destroy demolish | repair fix restore rebuild
bright light | dark dim
broad wide | narrow
build create construct make | destroy demolish dismantle
calm | agitated stormy
capture | release
cause | prevent
centralised centralized | decentralised decentralized distributed
cheap inexpensive | expensive costly dear
child | adult parent
clean pure | dirty contaminated polluted
clockwise | counterclockwise anticlockwise
coarse rough | fine smooth
cold cool chilly | hot warm
colder cooler | hotter warmer
combine merge join unite connect | split separate divide disconnect
common frequent usual | rare uncommon unusual infrequent
compile-time | run-time
complete full entire whole | incomplete partial
complex complicated | simple
compress | decompress expand
conceal hide | reveal show expose display
conscious | unconscious
consistent | inconsistent
constant fixed static permanent | variable dynamic temporary changing
consumer | producer
continue proceed resume keep | stop halt pause abandon cease
contract shrink | expand enlarge
convex | concave
cooperate | compete
credit | debit
cruel | kind
daily | weekly monthly yearly annually
day | night
deep | shallow
default | custom
defeat | victory
deficit shortage | surplus excess
demand | supply
dense thick | sparse thin
deposit | withdraw withdrawal
detailed | brief vague
deterministic | random nondeterministic
different distinct unlike | same identical alike equal
difficult hard | easy simple
direct directly | indirect indirectly
discourage | encourage
domestic internal | foreign external
dry arid | wet humid moist
early earlier earliest | late later latest
eager | reluctant lazy
east eastern | west western
effective efficient | ineffective inefficient useless
elastic flexible | rigid stiff inflexible
elder older | younger
empty vacant | full occupied
enable activate on | disable deactivate off
encode | decode
encrypt | decrypt
encrypted | plaintext
enter | leave exit
entrance | exit
equal | unequal
even | odd
exceed | undershoot
exhale | inhale
explicit explicitly | implicit implicitly
fail failure unsuccessful | succeed success successful pass
famous | obscure
fast quick rapid swift faster quicker quickly rapidly | slow slower slowly gradual gradually
fat | lean thin
father | mother
feasible possible | impossible infeasible
female woman women girl wife | male man men boy husband
fertile | barren
few fewer | many numerous
find found | lose lost
finite limited bounded | infinite unlimited unbounded
first | last later subsequent
flat | steep hilly
float | sink
teacher | student pupil
foolish stupid | clever wise intelligent
formal | informal
fresh | stale rotten
front | back rear
frozen solid liquid | gas gaseous
generous | stingy mean
gentle mild | severe harsh violent
global | local
good beneficial positive helpful | bad harmful negative poor detrimental
guest | host
guilty | innocent
guilt | innocence
happy glad cheerful | sad unhappy miserable
hardware | software
healthy | ill sick unhealthy
heat | cool
heaven | hell
heavy heavier heaviest | light lighter lightest
hire employ | dismiss fire
high higher highest tall taller tallest | low lower lowest short shorter shortest
honest | dishonest
hollow | solid
horizontal horizontally | vertical vertically
important significant | unimportant insignificant trivial
improve better enhance strengthen | worsen degrade weaken impair deteriorate
include contain | exclude lack
increase rise grow raise climb gain accelerate boost expand | decrease fall shrink reduce lower decline diminish drop lessen dwindle slow
inner interior inside | outer exterior outside
input | output
install | uninstall
junior | senior
keep retain preserve stay remain | remove discard delete lose leave change
known | unknown
land | sea
lazy lazily | eager eagerly
leading | trailing
left | right
legal lawful | illegal unlawful
lengthen extend prolong | shorten abbreviate
less least | more most
level | uneven
load | unload
lock | unlock
long longer longest | short shorter shortest brief
loose slack | tight taut
loser | winner
loss | profit gain
loud noisy | quiet silent
love like | hate dislike
mandatory compulsory required obligatory | optional voluntary
married | single unmarried divorced
master | slave
mature ripe | immature unripe
maximum maximal most maximise maximize | minimum minimal least minimise minimize
metal | nonmetal
modest | arrogant boastful
mount | unmount
mutable | immutable
natural | artificial synthetic
near close nearest closest nearby | far distant remote farthest
neat tidy | messy
north northern | south southern
normal ordinary | abnormal exceptional
nullable | required
offline | online
offence offensive | defence defensive
often frequently usually | rarely seldom occasionally
open | closed shut
optimist optimistic | pessimist pessimistic
ordered sorted | unordered unsorted
original | copy
parallel concurrently | sequential sequentially serially
past | future
patient | impatient
peace | war
perfect | flawed
persistent durable | volatile transient ephemeral
plural | singular
polite | rude
popular | unpopular
poverty poor | wealth wealthy rich
powerful strong stronger strongest | powerless weak weaker weakest
prefix | suffix
presence | absence
private privately secret confidential | public publicly
prohibited forbidden banned | permitted allowed
protect | expose endanger
proven verified | unproven disputed
pull | push
question | answer
raw uncooked | cooked
read | write
ready | unprepared
real genuine authentic | fake imaginary counterfeit
receiver recipient | sender
regular | irregular
remember recall | forget
reversible | irreversible
reward | punish punishment
rural | urban
sacred | secular
safe secure safely | dangerous unsafe insecure risky hazardous
save | spend waste
scalar | vector
sender | receiver
sharp | blunt dull
shallow | deep
sit | stand
slowly | quickly
soft | hard
sober | drunk
spring | autumn
stable | unstable
stateful | stateless
sunrise dawn | sunset dusk
subsequent following next | preceding previous prior
summer | winter
superior | inferior
support back endorse favour favor | oppose
sufficient enough adequate | insufficient inadequate
surface | core
survive | die perish
symmetric | asymmetric
tame | wild
true | false
trust trusted | distrust untrusted
typed | untyped
unite unity | division
upper | lower
up upward upwards upstream upgrade | down downward downwards downstream downgrade
useful | useless
valid | invalid
valuable | worthless
verbose | terse concise quiet
visible | invisible hidden
within | beyond
writable | read-only readonly
`

// converses name the same event from its other side: who buys from one who sells.
// They are opposed only if the same one does both.
const converses = `
borrow | lend
buy purchase acquire | sell
employ hire | work
give hand pay donate supply | receive get obtain
import | export
inherit | bequeath
lead | follow
learn study | teach
own possess | belong
precede | follow succeed
send emit transmit | receive
win beat defeat | lose
`

// oppositesOf are the stems that are opposed to a stem, and conversesOf those of the
// same event from its other side.
var (
	oppositesOf = sync.OnceValue(func() map[string]map[string]bool { return pairsOf(opposites) })
	conversesOf = sync.OnceValue(func() map[string]map[string]bool { return pairsOf(converses) })
)

func pairsOf(list string) map[string]map[string]bool {
	pairs := map[string]map[string]bool{}
	add := func(a, b string) {
		a, b = stem(a), stem(b)
		if pairs[a] == nil {
			pairs[a] = map[string]bool{}
		}
		pairs[a][b] = true
	}
	for line := range strings.Lines(list) {
		left, right, ok := strings.Cut(line, "|")
		if !ok {
			continue
		}
		for _, a := range strings.Fields(left) {
			for _, b := range strings.Fields(right) {
				add(a, b)
				add(b, a)
			}
		}
	}
	return pairs
}

// opposed reports whether two words are opposites: by the list, or because one is
// the other with a prefix that denies it.
func opposed(a, b word) bool {
	if a.stem == b.stem {
		return false
	}
	return oppositesOf()[a.stem][b.stem] || prefixed(a.text, b.text) || prefixed(b.text, a.text)
}

// denyingPrefixes turn the meaning of a word round.
var denyingPrefixes = []string{"un", "in", "im", "ir", "il", "dis", "non", "anti", "de"}

// shortestRoot is the least length of a word behind a denying prefix: "der" in "under" is none.
const shortestRoot = 3

// prefixed reports whether long is short behind a denying prefix.
func prefixed(long, short string) bool {
	if len(short) < shortestRoot {
		return false
	}
	for _, p := range denyingPrefixes {
		rest, ok := strings.CutPrefix(long, p)
		if !ok {
			continue
		}
		a, b := stem(strings.TrimPrefix(rest, "-")), stem(short)
		if len(a) < shortestRoot {
			continue
		}
		if a == b || len(a) > shortestRoot && strings.HasPrefix(b, a) || len(b) > shortestRoot && strings.HasPrefix(a, b) {
			return true
		}
	}
	return false
}

// irregular maps forms to a base that the stemmer does not find.
var irregular = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"began": "begin", "begun": "begin", "bought": "buy", "broke": "break", "broken": "break", "built": "build",
		"came": "come", "chose": "choose", "chosen": "choose", "died": "die", "dies": "die", "drew": "draw", "drawn": "draw",
		"fell": "fall", "fallen": "fall", "forbade": "forbid", "found": "find", "forgot": "forget", "forgotten": "forget",
		"froze": "freeze", "frozen": "freeze", "gave": "give", "given": "give", "grew": "grow", "grown": "grow",
		"hidden": "hide", "hid": "hide", "held": "hold", "kept": "keep", "led": "lead", "learnt": "learn", "left": "leave",
		"lent": "lend", "made": "make", "men": "man", "women": "woman", "met": "meet", "paid": "pay",
		"ran": "run", "risen": "rise", "rose": "rise", "said": "say", "sank": "sink", "sunk": "sink", "sent": "send",
		"shown": "show", "shrank": "shrink", "shrunk": "shrink", "shut": "close", "sold": "sell", "spent": "spend", "spoke": "speak",
		"stood": "stand", "taught": "teach", "took": "take", "taken": "take", "told": "tell", "thought": "think",
		"went": "go", "withdrew": "withdraw", "withdrawn": "withdraw", "worn": "wear", "wrote": "write", "written": "write",
		"children": "child", "feet": "foot", "teeth": "tooth", "mice": "mouse", "people": "person",
		"bigger": "big", "biggest": "big", "larger": "large", "largest": "large", "smaller": "small", "smallest": "small",
		"greater": "great", "greatest": "great", "easier": "easy", "easiest": "easy", "cheaper": "cheap", "cheapest": "cheap",
		"safer": "safe", "safest": "safe", "wider": "wide", "widest": "wide", "deeper": "deep", "deepest": "deep",
		"newer": "new", "newest": "new", "harder": "hard", "hardest": "hard", "brighter": "bright", "brightest": "bright",
		"darker": "dark", "darkest": "dark", "thicker": "thick", "thinner": "thin", "denser": "dense", "simpler": "simple",
		"richer": "rich", "poorer": "poor", "quieter": "quiet", "louder": "loud", "fewest": "few", "softer": "soft",
		"fastest": "fast", "slowest": "slow", "older": "old", "oldest": "old", "youngest": "young", "colder": "cold", "coldest": "cold",
		"hotter": "hot", "hottest": "hot", "warmer": "warm", "warmest": "warm", "cooler": "cool", "coolest": "cool",
		"higher": "high", "highest": "high", "lowest": "low", "taller": "tall", "tallest": "tall", "shorter": "short",
		"shortest": "short", "longer": "long", "longest": "long", "stronger": "strong", "strongest": "strong", "weaker": "weak",
		"weakest": "weak", "heavier": "heavy", "heaviest": "heavy", "lighter": "light", "lightest": "light", "nearer": "near",
		"nearest": "near", "closer": "close", "closest": "close", "farther": "far", "farthest": "far", "faster": "fast", "slower": "slow",
		"earlier": "early", "earliest": "early", "later": "late", "latest": "late", "fewer": "few", "quicker": "quick",
	}
})

// stem returns what the forms of a word have in common.
func stem(w string) string {
	if base, ok := irregular()[w]; ok {
		w = base
	}
	tokens := text.Tokenize(w)
	if len(tokens) == 0 || tokens[0].Stop {
		return w
	}
	return tokens[0].Term
}
