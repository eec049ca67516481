package redact

import (
	"net/url"
	"strings"
	"testing"
)

func TestSecretsAreFoundByName(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields("key api_key apikey API-KEY x-api-key token access_token refresh_token id_token mailto email Authorization Proxy-Authorization Cookie Set-Cookie client_secret password X-Amz-Signature sig appid_key session_id User-Agent X-Auth-Token") {
		if !IsSecretName(name) {
			t.Errorf("IsSecretName(%q) = false", name)
		}
	}
	for _, name := range strings.Fields("q query search keyword keywords Accept Content-Type page format site tags sort limit monkey titles author") {
		if IsSecretName(name) {
			t.Errorf("IsSecretName(%q) = true", name)
		}
	}
	for in, want := range map[string]string{
		"http://u:p@h/x?a=1&key=K&b=2#f": "http://REMOVED@h/x?a=1&key=REMOVED&b=2",
		"http://h/?key=":                 "http://h/?key=",
		"http://h/?a%70i_key=K&q=a+b":    "http://h/?a%70i_key=REMOVED&q=a+b",
		"http://h/?q=1;token=K":          "http://h/?q=1&token=REMOVED",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := urlOf(u); got != want {
			t.Errorf("urlOf(%s) = %s, want %s", in, got, want)
		}
	}
}
