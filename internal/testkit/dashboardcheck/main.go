// Command dashboardcheck checks a Grafana dashboard against what a server really shows:
// its JSON against Grafana's schema, and each query with Prometheus's own parser and
// engine. Usage:
//
//	dashboardcheck DASHBOARD.json SCRAPE.txt...
//
// The scrapes are pages of /metrics in the order of time, at least two; they are taken to
// be a minute apart. A query that does not parse, names a metric or label that no scrape
// has, or finds nothing, is an error. It is a module of its own, so that the program does
// not depend on Prometheus.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: dashboardcheck DASHBOARD.json SCRAPE.txt SCRAPE.txt...")
		os.Exit(2)
	}
	n, err := check(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stdout, "%s: %d queries, each finds something\n", os.Args[1], n)
}

// query is one of a panel, or of a variable.
type query struct{ where, expr string }

// check returns how many queries it evaluated.
func check(file string, scrapes []string) (int, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var strict dashboard.Dashboard                                               //nolint:staticcheck // files of dashboards are in this form; its successor is that of an API
	if err := strict.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" { // it returns an empty list as well
		return 0, fmt.Errorf("%s: Grafana's schema: %w", file, err)
	}
	queries, err := queriesOf(raw)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	s, err := load(scrapes)
	if err != nil {
		return 0, err
	}
	defer s.close()
	var errs []error
	for _, q := range queries {
		if err := s.evaluate(q); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", q.where, q.expr, err))
		}
	}
	return len(queries), errors.Join(errs...)
}

// labelValues is how Grafana fills a variable.
var labelValues = regexp.MustCompile(`^label_values\((.*), *(\w+)\)$`)

// queriesOf lists the queries, with Grafana's variables replaced.
func queriesOf(raw []byte) ([]query, error) {
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, err
	}
	var out []query
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		parts := labelValues.FindStringSubmatch(v.Definition)
		if parts == nil {
			return nil, fmt.Errorf("the variable %s is no label_values: %s", v.Name, v.Definition)
		}
		out = append(out, query{"variable " + v.Name, fmt.Sprintf("count by (%s) (%s)", parts[2], parts[1])})
	}
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			out = append(out, query{p.Title, t.Expr})
		}
	}
	replace := strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "5m")
	for i := range out {
		out[i].expr = replace.Replace(out[i].expr)
	}
	return out, nil
}

// evaluate runs a query at the time of the last scrape.
func (s *store) evaluate(q query) error {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(q.expr)
	if err != nil {
		return err
	}
	if err := s.knows(expr); err != nil {
		return err
	}
	ran, err := s.engine.NewInstantQuery(context.Background(), s.db, nil, q.expr, s.last)
	if err != nil {
		return err
	}
	defer ran.Close()
	res := ran.Exec(context.Background())
	switch {
	case res.Err != nil:
		return res.Err
	case len(res.Warnings) > 0:
		return fmt.Errorf("warnings: %v", res.Warnings)
	}
	found, err := res.Vector()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found, func(v promql.Sample) bool { return !math.IsNaN(v.F) }) {
		return errors.New("it finds nothing")
	}
	return nil
}

// knows checks the names of an expression.
func (s *store) knows(expr parser.Expr) error {
	var errs []error
	parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel && !s.labels[m.Name] {
					errs = append(errs, fmt.Errorf("no scrape has the label %s", m.Name))
				}
			}
			if !s.metrics[n.Name] {
				errs = append(errs, fmt.Errorf("no scrape has the metric %s", n.Name))
			}
		case *parser.AggregateExpr:
			for _, name := range n.Grouping {
				if !s.labels[name] {
					errs = append(errs, fmt.Errorf("no scrape has the label %s", name))
				}
			}
		}
		return nil
	})
	return errors.Join(errs...)
}

// interval is the time between two scrapes.
const interval = time.Minute
