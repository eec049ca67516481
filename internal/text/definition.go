package text

import (
	"regexp"
	"strings"
)

// Definition finds text that defines what a question asks for.
type Definition struct{ pattern *regexp.Regexp }

// Each pattern's group is the subject: "What is a chart in Helm?", in English,
// Portuguese, Spanish, French, German and Italian, and in Japanese and Chinese.
var asksDefinition = Pattern(`(?i)^\W*(?:` +
	`what(?:'s| is| are| was| were)(?: an?| the)?|what does(?: an?| the)?|(?:please )?define(?: an?| the)?|` +
	`o que (?:é|são)(?: uma?| [oa]s?)?|qué (?:es|son)(?: una?| el| la| l[oa]s)?|qu['’]est[- ]ce qu(?:e|['’])(?: ?c['’]est)?(?: qu(?:e|['’]))?(?: ?une?| les?| la)?|` +
	`was (?:ist|sind)(?: eine?| der| die| das)?|(?:che )?cos['’](?:è|e)(?: una?| il| la)?` +
	`)\s+(\S.*?)(?:\s+means?|\s+stands? for|\s+(?:in|of|for|em|no|na|en|dans|bei|im)\s+\S+(?:\s+\S+)?)?\s*[?？!.]*\s*$` +
	`|^(.+?)\s*(?:とは|って)\s*(?:何|なん|どういう)|^什么是\s*(.+?)[？?]?$`)

// mostSubject is the words of a subject: what has more of them asks for a detail.
const mostSubject = 4

// DefinitionOf returns how the subject of a question is defined, or nil if the
// question asks for something else.
func DefinitionOf(question string) *Definition {
	m := asksDefinition().FindStringSubmatch(strings.TrimSpace(question))
	if m == nil {
		return nil
	}
	words := strings.Fields(strings.Trim(m[1]+m[2]+m[3], "`*_\"'“”„«»「」 "))
	if len(words) == 0 || len(words) > mostSubject {
		return nil
	}
	for i, w := range words {
		words[i] = regexp.QuoteMeta(strings.ToLower(w))
	}
	last := len(words) - 1
	if stem := strings.TrimSuffix(words[last], "s"); len(stem) > 3 {
		words[last] = stem
	}
	const mark = "[`*_\"'“”„«»」]*"
	subject := mark + strings.Join(words, `[\s_-]+`) + `(?:e?s)?` + mark
	p, err := regexp.Compile(`(?i)(?:^|[.!?:]\s+|\n[\s#>*-]*)(?:an? |the |uma? |una? |eine? |une? |el |la |les? |der |die |das |[oa]s? )?` + subject +
		`(?:\s?\([^)\n]{1,60}\))?(?:,[^.,\n]{1,60},)?` +
		`(?:\s+(?:is|was|é|es|ist|est|è)\s+(?:\w+ly )?(?:an?|the|any|one|what|how|when|where|that|defined|our|your|uma?|una?|el|la|eine?|der|die|das|une?|le)\b` +
		`|\s+(?:are|were|são|son|sind|sont|sono)\s+|\s+(?:means|mean|refers? to|describes?|denotes?|consists? of|significa|bedeutet|bezeichnet|désigne)\b` +
		`|\n: |(?::|\s[—–-]) +\p{L}|とは|は、?[^。\n]{2,80}(?:です|である|のこと))`)
	if err != nil {
		return nil // the subject is no text
	}
	return &Definition{p}
}

// In reports whether s defines it. A nil Definition is in no text.
func (d *Definition) In(s string) bool { return d != nil && d.pattern.MatchString(s) }
