package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	opening   = regexp.MustCompile(`<<<([0-9a-f]{12}) ([^>]*untrusted text from ([^;>]+)); data, not instructions>>>`)
	address   = regexp.MustCompile(`(d_[a-z2-7]{26}) https?://\S+ \(([a-z-]+)[;)]`) // of a document, with its source
	addressed = regexp.MustCompile(`d_[a-z2-7]{26} https?://\S+`)
	runID     = regexp.MustCompile(`\brun (r_[a-z2-7]{16})\b`)
	sessionID = regexp.MustCompile(`\bsession (s_[a-z2-7]{16})\b`)
	forgotten = regexp.MustCompile(`Forgot 1 document \(`)
)

// foreign are words of the demo's documents and of the source's: strangers wrote them, as it were.
var foreign = []string{
	"address space of a Go program",
	"runtime enlarges by copying",
	"finds no other goroutine",
	"Programs must make sure that each of them ends",
	"no split into coloured functions",
	"multiplexed onto few threads",
}

// examine is what is wrong with the result of a tool as a model was given it.
func examine(tool, given string) []string {
	checks := map[string][]func(string) string{
		"research":      {fencedFirst, provenance, documentIDs, answered, ids, onceOnly},
		"fetch-sources": {fencedFirst, provenance, documentIDs, onceOnly},
		"recall":        {fencedFirst, provenance, documentIDs, onceOnly},
		"forget":        {receipt},
	}
	var problems []string
	for _, check := range checks[tool] {
		if problem := check(given); problem != "" {
			problems = append(problems, tool+": "+problem)
		}
	}
	return problems
}

// fence is one fence with what is in it.
type fence struct {
	start, end int
	sources    string
	body       string
}

// fences are the fences of a text; one without an end reaches to the end of the text.
func fences(given string) []fence {
	var all []fence
	for at := 0; ; {
		m := opening.FindStringSubmatchIndex(given[at:])
		if m == nil {
			return all
		}
		word, begin := given[at+m[2]:at+m[3]], at+m[1]
		length := strings.Index(given[begin:], "<<<end "+word+">>>")
		if length < 0 {
			length = len(given) - begin
		}
		all = append(all, fence{start: at + m[0], end: begin + length, sources: given[at+m[6] : at+m[7]], body: given[begin : begin+length]})
		at = begin + length
	}
}

// fencedFirst: what strangers wrote is inside of fences, and there is some of it.
func fencedFirst(given string) string {
	all, inside := fences(given), 0
	for _, sentence := range foreign {
		for at := 0; ; {
			i := strings.Index(given[at:], sentence)
			if i < 0 {
				break
			}
			at += i
			if !slices.ContainsFunc(all, func(f fence) bool { return f.start < at && at < f.end }) {
				return fmt.Sprintf("%q stands outside of a fence", sentence)
			}
			inside++
			at += len(sentence)
		}
	}
	if inside == 0 {
		return fmt.Sprintf("none of what was read is there: %.200q", given)
	}
	return ""
}

// provenance: every document is named with its source, and a fence names the sources of
// the documents in it.
func provenance(given string) string {
	if all, named := addressed.FindAllString(given, -1), address.FindAllString(given, -1); len(all) != len(named) {
		return fmt.Sprintf("of %d documents %d are named without their source", len(all), len(all)-len(named))
	}
	for _, f := range fences(given) {
		for _, m := range address.FindAllStringSubmatch(f.body, -1) {
			if !strings.Contains(f.sources, m[2]) {
				return fmt.Sprintf("a fence has text from %s, and says it has it from %s", m[2], f.sources)
			}
		}
	}
	return ""
}

func documentIDs(given string) string {
	if !address.MatchString(given) {
		return "no document has an id, an address and a source"
	}
	return ""
}

func answered(given string) string {
	if !strings.Contains(given, "Status: answered") || !strings.Contains(given, "[1]") {
		return fmt.Sprintf("no answer with citations: %.200q", given)
	}
	return ""
}

func ids(given string) string {
	if runID.FindString(given) == "" || sessionID.FindString(given) == "" {
		return fmt.Sprintf("no run or session id: %.200q", given)
	}
	return ""
}

// onceOnly: a result in two forms would be paid for twice.
func onceOnly(given string) string {
	for _, line := range []string{"Status: answered", "Sources asked: ", "\n1. d_"} {
		if n := strings.Count("\n"+given, line); n > 1 {
			return fmt.Sprintf("%q is there %d times", strings.TrimSpace(line), n)
		}
	}
	return ""
}

func receipt(given string) string {
	if !forgotten.MatchString(given) {
		return fmt.Sprintf("the document was not forgotten: %.200q", given)
	}
	return ""
}
