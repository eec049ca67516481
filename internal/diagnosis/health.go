package diagnosis

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// SourceHealth is the state of a source that is on, as far as any process of the
// data folder knows. What is unknown is empty.
type SourceHealth struct {
	Budget      string    `json:"budget,omitempty"`       // what is left of its limits
	Breaker     string    `json:"breaker,omitempty"`      // "closed", "half-open", or "open until " and when
	LastError   string    `json:"last_error,omitempty"`   // of any time
	LastErrorAt time.Time `json:"last_error_at,omitzero"` // of LastError
	WaitUntil   time.Time `json:"wait_until,omitzero"`    // it asked to be left alone until then
}

// SourcesNow is Sources with the health of each. It makes no requests and creates
// neither the data folder nor the cache; what cannot be read counts as unknown.
func SourcesNow(ctx context.Context, cfg *config.Config, log *slog.Logger) []SourceInfo {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	out := Sources(cfg)
	var stored []fetch.HostState
	if cfg.Cache.MaxMB > 0 {
		var err error
		if stored, err = fetch.ReadHosts(ctx, filepath.Join(cfg.DataDir, app.CacheFile), now); err != nil {
			log.Warn("what other processes know of the sources cannot be read", "err", err)
		}
	}
	settings := map[string]sources.Settings{}
	for _, spec := range sources.Registry() {
		settings[spec.Name] = app.SourceSettings(cfg, spec)
	}
	all := map[string]fetch.HostState{}
	for _, h := range fetch.MergeHosts(hostsOf(cfg, settings), stored) {
		all[h.Host] = h
	}
	for i, info := range out {
		if !info.On {
			continue
		}
		var hosts []fetch.HostState
		for _, h := range hostsOf(cfg, onlyOn(settings, info.Name)) {
			hosts = append(hosts, all[h.Host])
		}
		out[i].SourceHealth = healthOf(hosts, now)
	}
	return out
}

// hostsOf are the hosts of the sources that are on, as a process that has asked
// nothing sees them.
func hostsOf(cfg *config.Config, settings map[string]sources.Settings) []fetch.HostState {
	client := fetch.New(fetch.Config{Version: app.ProgramVersion, Contact: cfg.Contact})
	defer client.Close()
	if _, err := sources.Build(settings, client); err != nil {
		return nil // a wrong setting; a question reports it
	}
	return client.Hosts()
}

// onlyOn are the settings with one source on at most.
func onlyOn(settings map[string]sources.Settings, name string) map[string]sources.Settings {
	out := maps.Clone(settings)
	for other, s := range out {
		s.Enabled = s.Enabled && other == name
		out[other] = s
	}
	return out
}

// healthOf sums up a source's hosts, of which most have one: the scarcest
// budget, the worst breaker, the latest error, the longest wait.
func healthOf(hosts []fetch.HostState, now time.Time) SourceHealth {
	var out SourceHealth
	var scarce, broken *fetch.HostState
	for i := range hosts {
		h := &hosts[i]
		if scarce == nil || left(*h) < left(*scarce) {
			scarce = h
		}
		if broken == nil || badness(*h) > badness(*broken) {
			broken = h
		}
		if h.LastError != "" && h.LastErrorAt.After(out.LastErrorAt) {
			out.LastError, out.LastErrorAt = of(hosts, h)+h.LastError, h.LastErrorAt
		}
		if h.WaitUntil.After(out.WaitUntil) {
			out.WaitUntil = h.WaitUntil
		}
	}
	if scarce != nil {
		out.Budget = of(hosts, scarce) + budget(*scarce)
		out.Breaker = of(hosts, broken) + breakerWords(*broken, now)
	}
	return out
}

// of names the host where there are others.
func of(hosts []fetch.HostState, h *fetch.HostState) string {
	if len(hosts) < 2 {
		return ""
	}
	return h.Host + ": "
}

func left(h fetch.HostState) float64 {
	if h.Rate.PerSecond <= 0 {
		return math.Inf(1)
	}
	return h.Tokens
}

func badness(h fetch.HostState) int {
	return map[string]int{"closed": 0, "half-open": 1, "open": 2}[h.Breaker]
}

func breakerWords(h fetch.HostState, now time.Time) string {
	switch {
	case h.Breaker == "open" && h.BrokenUntil.After(now):
		return "open until " + Clock(h.BrokenUntil)
	case h.Breaker == "open":
		return "half-open"
	}
	return h.Breaker
}

// Clock is how states name a time of today or tomorrow.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

// NoLimit begins the budget of a source that is asked without a limit, as those on
// this machine are.
const NoLimit = "no limit"

// budget says what is left in a host's bucket, and what was taken today.
func budget(h fetch.HostState) string {
	words := NoLimit
	if r := h.Rate; r.PerSecond > 0 {
		whole := max(math.Floor(h.Tokens+1e-6), 0)
		words = fmt.Sprintf("%d of %d at once", int(whole), max(r.Burst, 1))
		if whole < 1 {
			words += ", the next in " + span((1-h.Tokens)/r.PerSecond)
		}
		words += ", then " + strings.NewReplacer(" requests", "", " request", "").Replace(every(r))
	}
	switch {
	case h.Spent == 1:
		words += "; 1 request today"
	case h.Spent > 1:
		words += fmt.Sprintf("; %d requests today", h.Spent)
	}
	return words
}

// limits describes what a source allows.
func limits(r fetch.Rate) string {
	if r.PerSecond <= 0 {
		return NoLimit
	}
	return fmt.Sprintf("%s, %d at once", every(r), max(r.Burst, 1))
}

// every describes a rate, such as "2 requests a second" or "1 request every
// 3 s".
func every(r fetch.Rate) string {
	switch {
	case r.PerSecond == 1:
		return "1 request a second"
	case r.PerSecond > 1:
		return strconv.FormatFloat(r.PerSecond, 'g', 3, 64) + " requests a second"
	}
	return "1 request every " + span(1/r.PerSecond)
}

// span formats a time, rounded to about a hundredth of it.
func span(seconds float64) string {
	switch {
	case seconds < 9.95:
		return strconv.FormatFloat(math.Round(seconds*10)/10, 'f', -1, 64) + " s"
	case seconds < 119.5:
		return strconv.FormatFloat(math.Round(seconds), 'f', -1, 64) + " s"
	}
	minutes := int(math.Round(seconds / 60))
	if minutes < 120 {
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d h", int(math.Round(seconds/3600)))
}
