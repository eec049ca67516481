package postgres

import "testing"

// The servers of a URL are those to read from, with and without TLS where sslmode says so.
func TestStandbysOfURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]int{"postgres://a/x": 0, "postgres://a,b,c:5433/x": 3, "postgres://a,b/x?sslmode=require": 2, "postgres://a,a/x": 0} {
		cfg, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		s := newStandbys(cfg)
		if s == nil {
			if want != 0 {
				t.Errorf("%s has no standbys, want %d", url, want)
			}
			continue
		}
		if len(s.hosts) != want {
			t.Errorf("%s has %d servers, want %d", url, len(s.hosts), want)
		}
		for _, h := range s.hosts {
			plain := 0
			for _, f := range h.ConnConfig.Fallbacks {
				if f.Host != h.ConnConfig.Host {
					t.Errorf("%s: the server %s falls back to %s", url, h.ConnConfig.Host, f.Host)
				}
				if f.TLSConfig == nil {
					plain++
				}
			}
			if h.ConnConfig.ValidateConnect != nil || plain != 1 && url != "postgres://a,b/x?sslmode=require" {
				t.Errorf("%s: %s has %d attempts without TLS", url, h.ConnConfig.Host, plain)
			}
		}
	}
}
