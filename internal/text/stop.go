package text

import "strings"

// Function words of English, question words, and the verbs of requests ("tell me
// about"): none of them distinguishes documents.
const stopWords = `a about above across after again against all almost along already also although always am among an
and another any anyone anything are aren't around as at away back be became because become becomes been before behind
being below between both but by came can can't cannot come could couldn't did didn't do does doesn't doing don't done
down during each either else enough ever every everyone everything explain few find for from further gave get gets
give given gives got had hadn't has hasn't have haven't having he he'd he'll her here here's hers
herself him himself his how how's however i i'd i'll i'm i've if in into is isn't it it'd it'll its itself just know
known let let's like likely made make makes many may maybe me might mine more most mostly much must mustn't my myself
need never no nobody none nor not nothing now of off often on once one only onto or other others our ours ourselves
out over own per perhaps please put quite rather really said same say says see seem seems shall shan't she she'd
she'll should shouldn't since so some somebody someone something still such take taken tell than that that'll the
their theirs them themselves then there there's therefore these they they'd they'll they're they've thing things this
those though through thus to together too toward towards under until unto up upon us use used uses using very via was
wasn't we we'd we'll we're we've well went were weren't what what's whatever when when's where where's whether which
while who who's whoever whole whom whose why why's will with within without won't would wouldn't yes yet you you'd
you'll you're you've your yours yourself yourselves d ll m re s t ve`

var stopSet = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(stopWords) {
		m[w] = true
	}
	return m
}()

// IsStop reports whether the folded word w is a function word. "go" is not on
// the list: it is a language, and where it is a verb its frequency lowers its
// weight.
func IsStop(w string) bool { return stopSet[w] }
