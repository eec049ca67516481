package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// report is a line that a client without a model prints: what a tool gave it, or how a
// check of its own ended.
type report struct {
	Tool, Given    string
	Check, Problem string
}

// judgeReport looks at what a client reported.
func (h host) judgeReport(printed output, failure error, o *outcome) {
	for line := range strings.Lines(printed.out.String()) {
		var r report
		if json.Unmarshal([]byte(line), &r) != nil {
			continue // the program's own words
		}
		switch {
		case r.Tool != "":
			given := flat(r.Given)
			o.given[r.Tool] = given
			o.problems = append(o.problems, examine(r.Tool, given)...)
		case r.Problem != "":
			o.problems = append(o.problems, r.Check+": "+r.Problem)
		case r.Check != "":
			o.notes = append(o.notes, r.Check)
		}
	}
	switch nothing := len(o.given)+len(o.notes)+len(o.problems) == 0; {
	case nothing && failure != nil:
		o.notRun = fmt.Sprintf("%v: %s", failure, printed.lastLines())
	case nothing:
		o.problems = append(o.problems, "it reported nothing")
	case failure != nil:
		o.problems = append(o.problems, fmt.Sprintf("%v: %s", failure, printed.lastLines()))
	}
}
