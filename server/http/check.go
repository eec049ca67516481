package http

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

func lowered(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, s := range list {
		out[strings.ToLower(strings.TrimSuffix(s, "/"))] = true
	}
	return out
}

// checked refuses requests that a page of a stranger may have made a browser send: by an
// origin that is not allowed, or by a name that leads to this machine only since it was
// looked up (DNS rebinding).
func (s *Server) checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A connection keeps the deadline of its last response. The body of a request that is
		// refused is read, too, before the response is written.
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin)) // httptest's recorder has no deadlines
		_ = control.SetReadDeadline(time.Now().Add(readBodyWithin))
		switch {
		case !s.hostAllowed(r):
			refuseHTTP(w, http.StatusForbidden, "this host name is not allowed; add it to the setting server.http.hosts, or call the server by its own address")
		case !s.originAllowed(r):
			refuseHTTP(w, http.StatusForbidden, "requests from pages of this origin are not allowed; add it to the setting server.http.origins")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) hostAllowed(r *http.Request) bool {
	name := hostname(r.Host)
	if isLoopback(name) || s.hosts[name] || s.hosts[strings.ToLower(r.Host)] {
		return name != ""
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && !isLoopback(hostname(local.String())) && len(s.hosts) == 0
}

func (s *Server) originAllowed(r *http.Request) bool {
	origins, sent := r.Header["Origin"]
	if !sent {
		return true
	}
	if len(origins) != 1 {
		return false
	}
	origin := strings.ToLower(origins[0])
	if s.origins[origin] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	name := u.Hostname()
	if isLoopback(name) { // a page on the caller's machine: it reaches the server without us, too
		return isLoopback(hostname(r.Host))
	}
	return s.hosts[name] && name == hostname(r.Host)
}

// hostname returns a host without its port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

func isLoopback(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// IsLoopback reports whether a listening address such as 127.0.0.1:8931 is reached from
// this machine only.
func IsLoopback(addr string) bool { return isLoopback(hostname(addr)) }

func refuseHTTP(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(why + "\n")) // a client that has gone needs no reason
}
