package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// removeConsent removes open dialogs about cookies and the like, unless nothing
// else is there.
func removeConsent(body *html.Node) {
	total := visibleTextSize(body)
	remove(body, func(n *html.Node) bool {
		if n.Type != html.ElementNode {
			return false
		}
		role := attribute(n.Attr, "role")
		if n.DataAtom != atom.Dialog && role != "dialog" && role != "alertdialog" && attribute(n.Attr, "aria-modal") != "true" && !isConsent(n) {
			return false
		}
		size := visibleTextSize(n)
		if holdsMainText(n) || inMain(n, nil) || total-size < minLandmark {
			return false
		}
		total -= size
		return true
	})
}

// consentVendors are parts of the ids and classes of the programs that ask for
// consent.
var consentVendors = []string{
	"onetrust", "cybotcookiebot", "cookiebot", "qc-cmp", "didomi", "sp_message", "truste", "trustarc", "usercentrics", "osano-cm", "cmplz", "borlabs",
	"klaro", "iubenda-cs", "cc-window", "cc-banner", "cc_dialog", "fc-consent", "termly", "cookieyes", "cky-consent", "moove_gdpr", "tarteaucitron", "axeptio",
	"evidon", "cmpbox", "cmp-container", "cookieconsent", "cookielaw", "eucookie", "gdpr", "ketch-", "transcend-consent", "hs-eu-cookie",
}

var (
	consentMatters = []string{"cookie", "consent", "privacy", "gdpr", "tracking"}
	consentForms   = []string{
		"bar", "banner", "notice", "popup", "pop-up", "dialog", "modal", "overlay", "box", "message", "msg", "layer", "prompt", "wall", "manager",
		"alert", "disclaimer", "toast", "consent", "hint", "snackbar", "drawer",
	}
	consentWords = []string{"cookie", "consent", "personal data", "privacy", "datenschutz", "einwillig", "consentement", "datos personales", "dati personali"}
)

// isConsent reports whether an element asks for consent by its id and classes. One
// with a name of the site's own has to speak of it too.
func isConsent(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Body, atom.Html, atom.Main, atom.Article, atom.P, atom.A, atom.Li, atom.Td:
		return false
	}
	names := strings.ToLower(attribute(n.Attr, "id") + " " + attribute(n.Attr, "class"))
	if names == " " {
		return false
	}
	if containsAny(names, consentVendors) {
		return true
	}
	for name := range strings.FieldsSeq(names) {
		if containsAny(name, consentMatters) && containsAny(name, consentForms) {
			return containsAny(strings.ToLower(textOf(n)), consentWords)
		}
	}
	return false
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
