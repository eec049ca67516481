package fetch

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of what is looked at in a page before its text is extracted.
const (
	maxLook     = 256 << 10 // bytes of markup
	maxOwnText  = 1500      // bytes of text from which a page is one, whatever it is called
	maxWallText = 400       // bytes of text up to which its words tell what a page is
	maxRefresh  = 10        // seconds after which a meta refresh only updates a page
)

// look is what the beginning of a page shows of its kind.
type look struct {
	raw     []byte
	title   string
	text    string // visible text, at most a little more than maxOwnText
	buttons string // their texts
	base    string // href of its base element
	refresh string // content of its first meta refresh
}

// lookAt reads tags and text up to the bounds.
func lookAt(body []byte) *look {
	l := &look{raw: body[:min(len(body), maxLook)]}
	var title, shown, buttons strings.Builder
	z := html.NewTokenizer(bytes.NewReader(l.raw))
	var inside atom.Atom // title, button, or an element without visible text
	for kind := z.Next(); kind != html.ErrorToken && shown.Len() <= maxOwnText; kind = z.Next() {
		switch kind {
		case html.TextToken:
			into := &shown
			switch inside {
			case atom.Title:
				into = &title
			case atom.Button:
				into = &buttons
			case atom.Script, atom.Style, atom.Noscript, atom.Template:
				continue
			}
			into.WriteString(strings.Join(strings.Fields(string(z.Text())), " ") + " ")
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			l.tag(t, &buttons, inside)
			switch t.DataAtom {
			case atom.Title, atom.Button, atom.Script, atom.Style, atom.Noscript, atom.Template:
				if kind == html.StartTagToken && inside == 0 {
					inside = t.DataAtom
				}
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); atom.Lookup(name) == inside {
				inside = 0
			}
		}
	}
	l.title, l.text, l.buttons = html.UnescapeString(strings.TrimSpace(title.String())), html.UnescapeString(shown.String()), html.UnescapeString(buttons.String())
	return l
}

// tag reads the start tags that matter. What is inside noscript is for browsers
// whose scripts are off; following it leads away from many pages.
func (l *look) tag(t html.Token, buttons *strings.Builder, inside atom.Atom) {
	attr := map[string]string{}
	for _, a := range t.Attr {
		attr[a.Key] = a.Val
	}
	switch {
	case t.DataAtom == atom.Base && l.base == "":
		l.base = attr["href"]
	case t.DataAtom == atom.Input && (attr["type"] == "submit" || attr["type"] == "button"):
		buttons.WriteString(attr["value"] + " ")
	case t.DataAtom == atom.Meta && inside != atom.Noscript && inside != atom.Template && l.refresh == "" && strings.EqualFold(attr["http-equiv"], "refresh"):
		l.refresh = attr["content"]
	}
}

// refreshContent is the content of a meta refresh that leads elsewhere: the delay,
// and the address, whose "url=" and quotation marks may be left out.
var refreshContent = text.Pattern(`(?is)^\s*([0-9]+)?(?:\.[0-9.]*)?\s*[;,\s]\s*(?:url\s*=\s*)?(?:"([^"]*)|'([^']*)|(.*))`)

// refreshTarget is where a page sends its reader at once, or nil.
func (l *look) refreshTarget(at *url.URL) *url.URL {
	m := refreshContent().FindStringSubmatch(l.refresh)
	if m == nil {
		return nil
	}
	ref := strings.TrimSpace(m[2] + m[3] + m[4])
	seconds, err := strconv.Atoi("0" + m[1])
	if ref == "" || err != nil || seconds > maxRefresh {
		return nil
	}
	base := at
	if b, err := resolveURL(at, l.base); l.base != "" && err == nil {
		base = b
	}
	to, err := resolveURL(base, ref)
	if err != nil {
		return nil
	}
	to.Fragment, to.RawFragment = "", ""
	if to.String() == at.String() || to.Scheme != "http" && to.Scheme != "https" {
		return nil
	}
	return to
}

// readHead finds out whether a page is the one that was asked for: it may send its
// reader on, or stand in front of it.
func (c *Client) readHead(got *hopResult, at *url.URL) error {
	if got.ContentType != "text/html" && got.ContentType != "application/xhtml+xml" {
		return nil
	}
	l := lookAt(got.Body)
	if what := l.interstitial(at); what != "" || challenged(got.header) {
		if what == "" {
			what = byChallenge
		}
		return &Error{Kind: Interstitial, Detail: interstitialDetail(what)}
	}
	if to := l.refreshTarget(at); to != nil {
		got.next, got.refresh = to, true
	}
	return nil
}

func interstitialDetail(what string) string {
	return "answered " + what + " instead of the page; open it in a browser, or use another page that says the same"
}

const (
	byChallenge = "a challenge to visitors that may be programs"
	byConsent   = "a page that asks for consent"
)

// challenged reports whether a header says that the response is a challenge.
func challenged(h http.Header) bool {
	return h.Get("Cf-Mitigated") == "challenge" || h.Get("X-Amzn-Waf-Action") == "challenge" || h.Get("X-Amzn-Waf-Action") == "captcha" ||
		h.Get("X-Vercel-Mitigated") == "challenge" || h.Get("X-Datadome") == "protected" && h.Get("X-Dd-B") != ""
}

// walls are pages that stand in front of others. Those of a service are known by
// markup that only they have; the others by their title or text, if they have no
// text of their own.
var walls = []struct {
	what   string
	markup func() *regexp.Regexp // of the page; nil: any
	words  func() *regexp.Regexp // of the title, or of a short text; nil: any
}{
	{"a challenge of Cloudflare", text.Pattern(`_cf_chl_opt|cf-browser-verification|cf_chl_prog|cf-error-details|cf-captcha-container`), text.Pattern(`(?i)just a moment|attention required|checking your browser|verify(ing)? you are human|security of your connection|cloudflare`)},
	{"a challenge of Anubis", text.Pattern(`/\.within\.website/x/|anubis_(challenge|version)`), nil},
	{"a challenge of Imperva", text.Pattern(`<iframe[^>]+_Incapsula_Resource|Incapsula incident ID`), nil},
	{"a challenge of DataDome", text.Pattern(`(geo|ct)\.captcha-delivery\.com`), nil},
	{"a challenge of HUMAN", text.Pattern(`px-captcha|_pxAppId`), text.Pattern(`(?i)access to this page has been denied|press (&|and|&amp;) hold|are you a human|human verification|before we continue`)},
	{"a challenge of AWS", text.Pattern(`gokuProps`), nil},
	{"a challenge of Sucuri", text.Pattern(`sucuri_cloudproxy_js|Sucuri WebSite Firewall`), nil},
	{"a challenge of Vercel", nil, text.Pattern(`(?i)^vercel security checkpoint`)},
	{"a challenge of DDoS-Guard", nil, text.Pattern(`(?i)^ddos-guard`)},
	{"a challenge of Amazon", text.Pattern(`/errors/validateCaptcha`), nil},
	{"a challenge of go-away", text.Pattern(`git\.gammaspectra\.live/git/go-away|/\.well-known/\.git\.gammaspectra\.live/`), text.Pattern(`(?i)checking you are not a bot|protected by go-away`)},
	{byConsent, text.Pattern(`(?i)<form[^>]+action\s*=\s*["']?https://(consent|guce|myprivacy)\.`), text.Pattern(`(?i)cookie|consent|privacy|datenschutz`)},
	{"a challenge of Google", nil, text.Pattern(`(?i)unusual traffic from your computer network`)},
	{"a test that its visitor is a person", text.Pattern(`(?i)g-recaptcha|h-captcha|hcaptcha\.com|cf-turnstile|challenges\.cloudflare\.com`), text.Pattern(`(?i)not a robot|are (you )?human|security check|unusual (traffic|activity)|automated (requests|access)|(complete|solve|enter|pass|fill).{0,40}captcha|^captcha|human verification`)},
	{byChallenge, nil, text.Pattern(`(?i)^(just a moment|one moment,? please|please wait|robot check|bot (verification|check|protection)|are you (a )?(robot|human)|` +
		`(human|security) (verification|check)|making sure you.?re not a bot|checking your browser|verify(ing)? (that )?you are (a )?human|` +
		`pardon our interruption|access to this page has been denied|ddos protection|client challenge|attention required|` +
		`please (enable|turn on) (js|javascript|cookies)|(enable|you need to enable) javascript and cookies)\b`)},
	{"a page that refuses access", nil, text.Pattern(`^(?i:access denied)\s*($|[^\pL\s]|(You|The|This|Your|Access|Error|Reference|Sorry)\b)|` +
		`^(?i:blocked|forbidden|request blocked)\W*$|(?i)^.{0,60}\b(your (request|access|ip( address)?) (has been|was|is) (blocked|denied)|(sorry, )?you have been blocked)`)},
	{byConsent, nil, text.Pattern(`(?i)^(before you continue|bevor sie (fortfahren|weitergehen|zu)|avant d.acc[eé]der|antes de (continuar|ir a)|prima di (proseguire|continu)|voordat je verder|` +
		`(your |manage |cookie )?(privacy|cookie|consent)s?( and cookies?| consent| choices?| preferences?| settings?| notice| wall| banner)*$|we value your privacy|cookies?einstellungen|datenschutz-?einstellungen|` +
		`gestion des cookies|zustimmung|einwilligung)`)},
}

// agree matches the buttons of a page that asks for consent.
var agree = text.Pattern(`(?i)accept|agree|allow|consent|reject|akzeptieren|zustimmen|einverstanden|ablehnen|accepter|refuser|aceptar|rechazar|accetta|rifiuta|aceitar|akkoord|accepteren|zgadzam|принять|同意|동의`)

// interstitial names what a page is if it stands in front of the page that was asked
// for, such as a challenge or a consent page; empty for any other. at may be nil.
func (l *look) interstitial(at *url.URL) string {
	if at != nil && isConsentHost(at.Hostname()) {
		return byConsent
	}
	if len(l.text) > maxOwnText {
		return ""
	}
	for _, w := range walls {
		if w.markup != nil && !w.markup().Match(l.raw) {
			continue
		}
		words := w.words == nil || w.words().MatchString(l.title)
		if w.markup != nil && !words || len(l.text) <= maxWallText && w.what != byConsent {
			words = words || w.words().MatchString(strings.TrimSpace(l.text))
		}
		if words && (w.what != byConsent || agree().MatchString(l.buttons)) {
			return w.what
		}
	}
	return ""
}

// isConsentHost reports whether a host has nothing but consent pages.
func isConsentHost(host string) bool {
	return strings.HasPrefix(host, "consent.") || strings.HasPrefix(host, "guce.") || strings.HasPrefix(host, "myprivacy.")
}
