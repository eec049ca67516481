package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
)

// store has the scrapes in Prometheus's own database.
type store struct {
	db      *tsdb.DB
	dir     string
	engine  *promql.Engine
	last    time.Time
	metrics map[string]bool
	labels  map[string]bool
}

func load(scrapes []string) (*store, error) {
	dir, err := os.MkdirTemp("", "dashboardcheck")
	if err != nil {
		return nil, err
	}
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &store{db: db, dir: dir, metrics: map[string]bool{}, labels: map[string]bool{},
		engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true, Parser: parser.NewParser(parser.Options{})})}
	s.last = time.Now().Truncate(time.Second)
	for i, name := range scrapes {
		at := s.last.Add(-time.Duration(len(scrapes)-1-i) * interval)
		if err := s.append(name, at); err != nil {
			s.close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return s, nil
}

func (s *store) close() {
	_ = s.db.Close()
	_ = os.RemoveAll(s.dir)
}

// append stores a scrape of one server, with the labels that Prometheus adds.
func (s *store) append(name string, at time.Time) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	p := textparse.NewPromParser(raw, labels.NewSymbolTable(), false)
	app := s.db.Appender(context.Background())
	samples := 0
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(err, app.Rollback())
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := p.Series()
		var found labels.Labels
		p.Labels(&found)
		all := labels.NewBuilder(found).Set("job", "research-mcp").Set("instance", "127.0.0.1:8931").Labels()
		if _, err := app.Append(0, all, at.UnixMilli(), value); err != nil {
			return errors.Join(err, app.Rollback())
		}
		samples++
		s.metrics[all.Get(model.MetricNameLabel)] = true
		all.Range(func(l labels.Label) { s.labels[l.Name] = true })
	}
	if samples == 0 {
		return errors.Join(errors.New("it has no sample"), app.Rollback())
	}
	return app.Commit()
}
