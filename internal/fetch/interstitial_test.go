package fetch

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func pagesOf(pages map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, pages[r.URL.Path])
	}
}

func noRobots(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }

func refresh(content string) string {
	return `<html><head><meta http-equiv="Refresh" content="` + content + `"></head><body><a href="x">moved</a></body></html>`
}

func TestMetaRefreshIsFollowedOnce(t *testing.T) {
	t.Parallel()
	const own = "<p>own</p>"
	for _, c := range []struct{ name, page, want string }{
		{"at once", refresh("0; url=/to"), "target"},
		{"relative", refresh("0;URL=./to"), "target"},
		{"without url=", refresh("5; /to"), "target"},
		{"quoted", refresh("0; url='/to'"), "target"},
		{"escaped", refresh("1;url=&#x2F;to#part"), "target"},
		{"a fraction", refresh("0.5, url=/to"), "target"},
		{"base", `<base href="/a/b/">` + refresh("0; url=../../to"), "target"},
		{"twice", refresh("0; url=/again"), "moved"},
		{"to itself", own + refresh("0; url=/from"), "own"},
		{"an update", own + refresh("300; url=/to"), "own"},
		{"no address", own + refresh("5"), "own"},
		{"a script", own + refresh("0; url=javascript:alert(1)"), "own"},
		{"for browsers without scripts", own + "<noscript>" + refresh("0; url=/to") + "</noscript>", "own"},
		{"in a comment", own + "<!--" + refresh("0; url=/to") + "-->", "own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, noRobots, pagesOf(map[string]string{"/from": c.page, "/to": "<p>target</p>", "/again": refresh("0; url=/to")}))
			resp, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL + "/from"})
			if err != nil || !strings.Contains(string(resp.Body), c.want) {
				t.Errorf("got %q, %v, want %q", resp.Body, err, c.want)
			}
		})
	}
}

// A page can send nobody where a link could not.
func TestMetaRefreshPassesTheGuard(t *testing.T) {
	t.Parallel()
	inside := newSite(t, noRobots, nil)
	for name, to := range map[string]string{"private": inside.URL + "/secret", "metadata": "http://169.254.169.254/latest", "odd": "http://2130706433/"} {
		s := newSite(t, noRobots, pagesOf(map[string]string{"/from": refresh("0; url=" + to)}))
		_, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL + "/from"})
		if !IsKind(err, Refused) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	if len(inside.asked) > 0 {
		t.Errorf("asked %q", inside.asked)
	}
}

const prose = "Herons nest in April, in colonies in tall trees near water, and feed on fish. "

func TestInterstitialsAreKnown(t *testing.T) {
	t.Parallel()
	titled := func(title, body string) string {
		return "<html><head><title>" + title + "</title></head><body>" + body + "</body></html>"
	}
	for _, c := range []struct{ name, page, says string }{
		{"Cloudflare", titled("Just a moment...", `<noscript>Enable JavaScript and cookies to continue</noscript><script>window._cf_chl_opt={cType:'managed'}</script>`), "Cloudflare"},
		{"Cloudflare in another language", titled("Nur einen Moment…", `<p>h.example: Verifying you are human.</p><script>window._cf_chl_opt={}</script>`), "Cloudflare"},
		{"Anubis", titled("Making sure you&#39;re not a bot!", `<img src="/.within.website/x/cmd/anubis/static/img/pensive.webp"><p>Loading...</p>`), "Anubis"},
		{"Imperva", `<html><body><iframe src="/_Incapsula_Resource?x=1">Request unsuccessful. Incapsula incident ID: 1-2</iframe></body></html>`, "Imperva"},
		{"DataDome", titled("h.example", `<p>Please enable JS and disable any ad blocker</p><script src="https://ct.captcha-delivery.com/c.js"></script>`), "DataDome"},
		{"AWS", titled("", `<script>window.awsWafCookieDomainList = []; window.gokuProps = {};</script><noscript>JavaScript is disabled</noscript>`), "AWS"},
		{"captcha", titled("h.example", `<p>To continue, confirm that you are not a robot.</p><div class="g-recaptcha"></div>`), "a person"},
		{"robot check", titled("Robot Check", `<p>Type the characters you see in this image</p>`), "challenge"},
		{"a text alone", `<p>Checking your browser before accessing h.example.</p>`, "challenge"},
		{"access denied", titled("Access Denied", `<p>You don't have permission to access this server. Reference #18.2</p>`), "refuses access"},
		{"consent", titled("Before you continue", `<p>We use cookies.</p><form><button>Reject all</button><button>Accept all</button></form>`), "consent"},
		{"consent in German", titled("Datenschutz-Einstellungen", `<p>Wir verwenden Cookies.</p><form><input type="submit" value="Alle akzeptieren"></form>`), "consent"},
		{"consent in French", titled("Gestion des cookies", `<button>Tout accepter</button>`), "consent"},

		{"Amazon", titled("Amazon.com", `<h4>Type the letters that you see</h4><form action="/errors/validateCaptcha"><input name="field-keywords"></form>`), "Amazon"},
		{"go-away", titled("Checking you are not a bot", `<p>Protected by <a href="https://git.gammaspectra.live/git/go-away">go-away</a></p>`), "go-away"},
		{"consent form of another host", titled("H ist Teil der Gruppe H", `<form method=post action="https://consent.h.example/v2/collect"><p>Wir und unsere Partner verwenden Cookies.</p><button>Alle akzeptieren</button></form>`), "consent"},
		{"a page that links to its consent form", titled("Herons", `<p>`+strings.Repeat(prose, 8)+`</p><form action="https://consent.h.example/save"><button>Accept cookies</button></form>`), ""},

		{"a page about it", titled("Just a moment...", "<p>"+strings.Repeat(prose, 30)+"</p>"), ""},
		{"a page of a host behind Cloudflare", titled("Herons", `<p>`+prose+`</p><script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>`), ""},
		{"a page with a captcha in a form", titled("Herons", `<p>`+prose+`</p><form><div class="g-recaptcha"></div><button>Send</button></form>`), ""},
		{"a page with a cookie dialog", titled("Herons", `<p>`+prose+`</p><div>We use cookies.<button>Accept all</button></div>`), ""},
		{"a page behind a consent dialog", titled("Prices", `<div role="dialog"><h2>We value your privacy</h2><p>`+strings.Repeat("Our partners use cookies. ", 20)+`</p><button>Accept</button></div><p>`+prose+`</p>`), ""},
		{"a page of a host behind Imperva", titled("Herons", `<script src="/_Incapsula_Resource?x=1"></script><p>`+prose+`</p>`), ""},
		{"a policy", titled("Cookie policy", `<p>We use two cookies.</p>`), ""},
		{"a short page", titled("Herons", `<p>`+prose+`</p>`), ""},
		{"a blocked request", titled("Blocked", `<h1>whoa there!</h1><p>Your request has been blocked due to a network policy.</p>`), "refuses access"},
		{"a blocked visitor", titled("example.org", `<h1>Sorry, you have been blocked</h1><p>You are unable to access example.org</p>`), "refuses access"},
		{"a short page about refusals", titled("nginx", `<h1>Access denied errors in nginx</h1><p>Set the folder's permissions to 755.</p>`), ""},
		{"a short page about blocking", titled("Blocked drains", `<h1>Blocked drains</h1><p>Pour hot water into the drain.</p>`), ""},
		{"an article", titled("Access denied: how sites refuse readers", "<p>"+strings.Repeat(prose, 30)+"</p>"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, noRobots, pagesOf(map[string]string{"/p": c.page}))
			_, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL + "/p"})
			if (err != nil) != (c.says != "") || err != nil && (!IsKind(err, Interstitial) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want an error with %q", err, c.says)
			}
		})
	}
}

func TestInterstitialsByTheirHeaders(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 202, 403, 503} {
		s := newSite(t, noRobots, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Cf-Mitigated", "challenge")
			w.WriteHeader(code)
		})
		if _, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL + "/p"}); !IsKind(err, Interstitial) {
			t.Errorf("%d: %v, want an interstitial", code, err)
		}
		if len(s.asked) > 2 {
			t.Errorf("%d: asked %q, want the page once", code, s.asked)
		}
	}
}

// A service's challenge is not its answer.
func TestChallengeInsteadOfJSONIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, noRobots, pagesOf(map[string]string{"/api": `<title>Just a moment...</title><script>window._cf_chl_opt={}</script>`}))
	client, err := openTo(t, Config{}).ForHost(s.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if _, err := client.GetJSON(t.Context(), Request{URL: s.URL + "/api"}, &v); !IsKind(err, ContentType) || !strings.Contains(err.Error(), "a challenge of Cloudflare instead of JSON") {
		t.Errorf("err = %v", err)
	}
}

func FuzzLookAt(f *testing.F) {
	for _, s := range []string{refresh("0; url=/to"), "<title>x<base href=%>", "<meta http-equiv=refresh content='0;url=//[::1'>", "<button><script>"} {
		f.Add(s)
	}
	at, err := parseURL("https://h.example/p")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l := lookAt([]byte(s))
		l.interstitial(at)
		if to := l.refreshTarget(at); to != nil && (to.Scheme != "http" && to.Scheme != "https" || to.String() == at.String()) {
			t.Errorf("%q leads to %s", s, to)
		}
	})
}
