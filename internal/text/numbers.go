package text

import (
	"regexp"
	"strings"
)

var (
	formulaNumber = Pattern(`\$\s*([-−+]?[0-9][-−+0-9.,\s×·⋅^{}()\\timescdo]{0,60}?)\s*\$`)
	braced        = Pattern(`([0-9)])\s?\^\s?[{(]\s*([-−–+]?)\s*([0-9]{1,4})\s*[})]`)
	times         = Pattern(`([0-9])\s*(?:\\times|\\cdot|[×·⋅∙✕])\s*(10\s?(?:\^|\*\*|[⁻⁰¹²³⁴-⁹]))`)
	thinGroups    = Pattern(`\b[0-9]{1,3}(?:[\x{00a0}\x{2007}\x{2009}\x{202f}][0-9]{3})+\b`)
	spacedGroups  = Pattern(`\b[1-9][0-9]{0,2}(?: [0-9]{3}){2,}\b`)
	groupSpace    = strings.NewReplacer(" ", ",", "\u00a0", ",", "\u2007", ",", "\u2009", ",", "\u202f", ",")
)

// LinearNumbers returns s with numbers in one spelling, for comparison: powers of ten
// as 1×10^6, whether s has them as TeX ($1 \times 10^{6}$), in brackets or with other
// signs, and groups of thousands with commas. 10⁶ and 1e6 stay; they are clear. The
// result is not for display.
func LinearNumbers(s string) string {
	if !strings.ContainsAny(s, "0123456789") {
		return s
	}
	if strings.Contains(s, "$") {
		s = formulaNumber().ReplaceAllStringFunc(s, func(m string) string {
			if !strings.ContainsAny(m, `^\`) {
				return m // amounts of money
			}
			return strings.TrimSpace(strings.Trim(m, "$"))
		})
	}
	if strings.Contains(s, "^") {
		s = braced().ReplaceAllStringFunc(s, func(m string) string { return withSign(braced(), m) })
	}
	if strings.ContainsAny(s, `×·⋅∙✕\`) {
		s = times().ReplaceAllString(s, "$1×$2")
	}
	if strings.ContainsAny(s, "\u00a0\u2007\u2009\u202f") {
		s = thinGroups().ReplaceAllStringFunc(s, groupSpace.Replace)
	}
	return spacedGroups().ReplaceAllStringFunc(s, groupSpace.Replace)
}

// withSign writes a power without its brackets.
func withSign(pattern *regexp.Regexp, m string) string {
	part := pattern.FindStringSubmatch(m)
	sign := ""
	if part[2] != "" && part[2] != "+" {
		sign = "-"
	}
	return part[1] + "^" + sign + part[3]
}
