package proof

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// quantity is a number of a text with its unit, in the base unit of its dimension.
type quantity struct {
	start, end int // byte offsets
	value      float64
	dim        string // "" for a bare number, "year", "month", "time", "data", …
	unit       string // as written
	alt        string // another dimension that the unit may have
	altValue   float64
	about      bool // "about", "nearly", "more than": need not be exact
	one        bool // the word "one", which often counts nothing
}

type unit struct {
	dim   string
	scale float64
}

// unitList is dimension: names=scale, in the base unit of the dimension.
const unitList = `
time: ns nanosecond=1e-9 µs us microsecond=1e-6 ms millisecond msec=1e-3 s sec second=1 min minute=60 h hr hour=3600 day=86400 week=604800 month=2629800 year yr=31557600 decade=315576000 century=3155760000 millennium=31557600000
data: bit=0.125 byte b=1 kb kilobyte kib kibibyte=1e3 mb megabyte mib mebibyte=1e6 gb gigabyte gib gibibyte=1e9 tb terabyte tib=1e12 pb petabyte=1e15
length: nm nanometre nanometer=1e-9 µm micron micrometre micrometer=1e-6 mm millimetre millimeter=1e-3 cm centimetre centimeter=1e-2 m metre meter=1 km kilometre kilometer=1000 mile mi=1609.344 inch=0.0254 foot ft=0.3048 yard yd=0.9144
mass: µg microgram=1e-9 mg milligram=1e-6 g gram=1e-3 kg kilogram kilo=1 t tonne ton=1000 lb pound=0.45359 oz ounce=0.02835
frequency: hz hertz=1 khz kilohertz=1e3 mhz megahertz=1e6 ghz gigahertz=1e9
share: % percent percentage=1
temperature: °c celsius=1
fahrenheit: °f fahrenheit=1
kelvin: k kelvin=1
degree: ° degree deg=1
voltage: v volt=1 kv kilovolt=1e3 mv millivolt=1e-3
current: a ampere amp=1 ma milliampere=1e-3
power: w watt=1 kw kilowatt=1e3 mw megawatt=1e6 gw gigawatt=1e9 horsepower hp=745.7
energy: j joule=1 kj kilojoule=1e3 mj megajoule=1e6 cal calorie=4.184 kcal kilocalorie=4184 kwh=3.6e6 mwh=3.6e9
dollar: $ dollar usd=1
euro: € euro eur=1
pound: £ gbp=1
yen: ¥ yen=1
volume: ml millilitre milliliter=1e-3 l litre liter=1 gallon=3.785
area: hectare ha=1e4 acre=4046.86 km²=1e6 m²=1
speed: km/h kph=0.27778 mph=0.44704 m/s=1
pressure: pa pascal=1 hpa=100 kpa kilopascal=1e3 mpa megapascal=1e6 bar=1e5 mbar millibar=100 psi=6894.76 atm=101325
core: core=1
`

var units = sync.OnceValue(func() map[string]unit {
	out := map[string]unit{}
	for line := range strings.Lines(unitList) {
		dim, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		var names []string
		for _, f := range strings.Fields(rest) {
			name, scale, last := strings.Cut(f, "=")
			names = append(names, name)
			if last {
				n, _ := strconv.ParseFloat(scale, 64) // the list is ours
				for _, name := range names {
					out[name] = unit{dim, n}
				}
				names = nil
			}
		}
	}
	return out
})

var numberWords = map[string]float64{
	"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
	"twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
	"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
	"both": 2, "twice": 2, "double": 2, "thrice": 3, "triple": 3, "dozen": 12,
}

// periods are adverbs and adjectives of how often, with the unit between two times.
var periods = map[string]string{"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year", "annual": "year"}

// spanning are words before "a minute" or "minute" that make it a length of time.
var spanning = map[string]bool{"for": true, "within": true, "after": true, "every": true, "each": true, "about": true, "than": true, "lasts": true, "takes": true, "per": true}

var magnitudes = map[string]float64{"hundred": 100, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}

var fractions = map[string]float64{"half": 50, "third": 100.0 / 3, "thirds": 100.0 / 3, "quarter": 25, "quarters": 25, "fifth": 20, "fifths": 20, "tenth": 10, "tenths": 10}

var months = map[string]int{
	"january": 1, "february": 2, "march": 3, "april": 4, "may": 5, "june": 6, "july": 7, "august": 8, "september": 9, "october": 10,
	"november": 11, "december": 12, "jan": 1, "feb": 2, "mar": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sept": 9, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}

func numberWord(w string) bool {
	_, n := numberWords[w]
	_, m := magnitudes[w]
	_, f := fractions[w]
	return n || m || f
}

const raised = `⁻⁰¹²³⁴⁵⁶⁷⁸⁹`

var (
	// figure matches a number. Its groups: 1 currency, 2 number, 3 power of ten behind
	// "× 10", 4 power of the number, 5 exponent.
	figure      = text.Pattern(`([$€£¥]\s?)?((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?:\s?[×x·*]\s?10(?:(?:\^|\*\*)([-−]?\d+)|([` + raised + `]+))|(?:\^|\*\*)([-−]?\d+)|([` + raised + `]+)|[eE]([-+]?\d+)\b)?`)
	isoDate     = text.Pattern(`\b(\d{4})-(\d{2})(?:-(\d{2}))?\b`)
	duration    = text.Pattern(`\b(?:(\d+)h)?(?:(\d+)m)?(\d+(?:\.\d+)?)s\b`)
	unitAfter   = text.Pattern(`^[\s\x{00a0}-]?(°[CF]?|%|km/h|m/s|km²|m²|[µA-Za-z][A-Za-z]*)`)
	rangeGap    = text.Pattern(`^\s?(?:–|—|-|to|and|or|through|until)\s?$`)
	hedgeBefore = text.Pattern(`(?i)(?:about|around|roughly|approximately|nearly|almost|some|circa|ca\.|over|under|more than|less than|up to|close to|just|≈|~)\s*(?:a |an |one |\$|€|£)?$`)
)

// quantities returns the numbers of s with their units, in order.
func quantities(s string) []quantity {
	var out []quantity
	taken := func(at int) bool {
		for _, q := range out {
			if q.start <= at && at < q.end {
				return true
			}
		}
		return false
	}
	for _, m := range isoDate().FindAllStringSubmatchIndex(s, -1) {
		out = append(out, quantity{start: m[2], end: m[3], value: number(s[m[2]:m[3]]), dim: "year"}, quantity{start: m[4], end: m[5], value: number(s[m[4]:m[5]]), dim: "month"})
		if m[6] >= 0 {
			out = append(out, quantity{start: m[6], end: m[7], value: number(s[m[6]:m[7]]), dim: ""})
		}
	}
	for _, m := range duration().FindAllStringSubmatchIndex(s, -1) {
		if m[2] < 0 && m[4] < 0 {
			continue // one unit alone is read below
		}
		total := number(s[m[6]:m[7]])
		if m[2] >= 0 {
			total += 3600 * number(s[m[2]:m[3]])
		}
		if m[4] >= 0 {
			total += 60 * number(s[m[4]:m[5]])
		}
		out = append(out, quantity{start: m[0], end: m[1], value: total, dim: "time", unit: "s"})
	}
	for _, m := range figure().FindAllStringSubmatchIndex(s, -1) {
		if !taken(m[4]) && !insideWord(s, m[4]) {
			out = append(out, readFigure(s, m))
		}
	}
	out = append(out, spelled(s, taken)...)
	sortByStart(out)
	for i := range out {
		out[i].about = out[i].about || hedgeBefore().MatchString(s[max(0, out[i].start-20):out[i].start])
	}
	for i := len(out) - 2; i >= 0; i-- {
		a, b := &out[i], out[i+1]
		if a.end <= b.start && a.unit == "" && a.dim != "year" && b.unit != "" && rangeGap().MatchString(s[a.end:b.start]) {
			*a = measured(*a, b.unit)
		}
	}
	return out
}

func sortByStart(q []quantity) {
	slices.SortStableFunc(q, func(a, b quantity) int { return a.start - b.start })
}

// insideWord reports whether the number at i continues a word: "utf8", "v2".
func insideWord(s string, i int) bool {
	if i == 0 {
		return false
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	if r == '.' || r == '-' { // 1.2.3, SHA-256
		before := strings.TrimRight(s[:i], ".-")
		last, _ := utf8.DecodeLastRuneInString(before)
		return r == '.' && unicode.IsDigit(last) || r == '-' && unicode.IsUpper(last)
	}
	return unicode.IsLetter(r) || r == '_' || r == '/'
}

// readFigure reads a match of figure.
func readFigure(s string, m []int) quantity {
	q := quantity{start: m[0], end: m[1], value: number(s[m[4]:m[5]])}
	group := func(n int) string {
		if m[2*n] < 0 {
			return ""
		}
		return strings.ReplaceAll(lowered(s[m[2*n]:m[2*n+1]]), "−", "-")
	}
	switch {
	case group(3)+group(4) != "":
		q.value *= math.Pow(10, number(group(3)+group(4)))
	case group(5)+group(6) != "":
		q.value = math.Pow(q.value, number(group(5)+group(6)))
	case group(7) != "":
		q.value *= math.Pow(10, number(group(7)))
	}
	rest := s[m[1]:]
	if w := unitAfter().FindStringSubmatch(rest); w != nil {
		q = withUnit(q, rest, w)
	}
	if currency := strings.TrimSpace(group(1)); currency != "" {
		q.dim, q.unit = units()[currency].dim, currency
	}
	digits := s[m[4]:m[5]]
	if q.dim == "" && q.unit == "" && len(digits) == 4 && len(digits) == m[1]-m[4] && q.value >= 1000 && q.value <= 2100 {
		q.dim = "year"
	}
	return q
}

// withUnit adds the unit w, a match of unitAfter at the start of rest.
func withUnit(q quantity, rest string, w []string) quantity {
	attached := w[0] == w[1]
	name := w[1]
	switch {
	case attached && (name == "th" || name == "st" || name == "nd" || name == "rd"):
		q.end += len(name)
		q.dim = "ordinal"
	case attached && name == "s" && q.value >= 1000:
		q.end++
		q.dim, q.about = "year", true
	case attached && (name == "k" || name == "K"):
		q.value, q.end = q.value*1e3, q.end+1
	case attached && name == "M":
		q.value, q.end = q.value*1e6, q.end+1
	case magnitudes[strings.ToLower(name)] > 0:
		q.value, q.end = q.value*magnitudes[strings.ToLower(name)], q.end+len(w[0])
		if next := unitAfter().FindStringSubmatch(rest[len(w[0]):]); next != nil {
			return withUnit(q, rest[len(w[0]):], next)
		}
	case name == "per" && strings.HasPrefix(rest[len(w[0]):], " cent"):
		q.end += len(w[0]) + len(" cent")
		q.dim, q.unit = "share", "%"
	case isUnit(name):
		if name == "m" {
			q.alt, q.altValue = "time", q.value*60
		}
		q.end += len(w[0])
		return measured(q, name)
	}
	return q
}

// isUnit reports whether a word is the name of a unit. A symbol of one letter
// counts in its own case only: 5 A, but not 5 a day.
func isUnit(name string) bool {
	if len(name) == 1 {
		return slices.Contains(symbols, name[0])
	}
	_, ok := units()[unitName(name)]
	return ok && !isStop(strings.ToLower(name))
}

// symbols of one letter that are units.
var symbols = []byte("sgmtlAWVJKB%")

func unitName(name string) string {
	low := strings.ToLower(name)
	for _, form := range []string{low, strings.TrimSuffix(low, "s"), strings.TrimSuffix(low, "es"), strings.Replace(low, "feet", "foot", 1), strings.Replace(low, "centuries", "century", 1)} {
		if _, ok := units()[form]; ok {
			return form
		}
	}
	return low
}

// measured returns q in the base unit of the named unit.
func measured(q quantity, name string) quantity {
	u := units()[unitName(name)]
	q.dim, q.unit, q.value = u.dim, name, q.value*u.scale
	return q
}

// number parses digits with thousands separators; what is none is 0.
func number(s string) float64 {
	n, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	if err != nil {
		return 0
	}
	return n
}

// lowered writes raised digits as ordinary ones.
func lowered(s string) string {
	return strings.Map(func(r rune) rune {
		i := slices.Index([]rune(raised), r)
		switch {
		case i == 0:
			return '-'
		case i > 0:
			return '0' + rune(i-1)
		}
		return r
	}, s)
}

// same reports whether two quantities are the same amount.
func (q quantity) same(o quantity) bool {
	tolerance := 0.001
	if q.about || o.about {
		tolerance = 0.1
	}
	if q.unit != o.unit {
		tolerance = max(tolerance, 0.05) // rounded in conversion: 0.5 GB, 512 MB
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= tolerance*max(math.Abs(a), math.Abs(b)) }
	plain := func(dim string) bool { return dim == "" || dim == "year" || dim == "ordinal" }
	switch {
	case q.dim == o.dim && (q.dim == "year" || q.dim == "month"):
		return q.value == o.value || (q.about || o.about) && math.Abs(q.value-o.value) < 10
	case plain(q.dim) && plain(o.dim):
		return q.dim == o.dim && near(q.value, o.value) || q.value == o.value
	case q.dim == o.dim:
		return near(q.value, o.value)
	case q.alt == o.dim && q.alt != "":
		return near(q.altValue, o.value)
	case o.alt == q.dim && o.alt != "":
		return near(q.value, o.altValue)
	}
	return false
}

// alike reports whether two quantities measure the same kind of thing, so that one
// can contradict the other.
func (q quantity) alike(o quantity) bool {
	return q.dim == o.dim || q.alt != "" && q.alt == o.dim || o.alt != "" && o.alt == q.dim
}
