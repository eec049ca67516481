package text

import "strings"

// maxLanguageTag is the longest tag that is read, in bytes: BCP 47 (RFC 5646,
// section 4.4.1) asks for room for 35.
const maxLanguageTag = 35

// languageTag is a well-formed tag of BCP 47: language, script, region, variants,
// extensions and private use. The tags that RFC 5646 grandfathers are left out.
var languageTag = Pattern(`(?i)^[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?` +
	`(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(-[a-wyz0-9](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?$`)

// PrimaryLanguage returns the first subtag of a BCP 47 language tag, in lower
// case: "pt" for "pt-BR". It is empty for what is not a well-formed tag.
func PrimaryLanguage(tag string) string {
	if len(tag) > maxLanguageTag || !languageTag().MatchString(tag) {
		return ""
	}
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return primary
}
