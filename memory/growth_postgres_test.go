package memory_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/memory"
)

// growthPostgres fills a schema of its own, and recalls.
func growthPostgres(t *testing.T, _ string, n int) growth {
	cfg, disk := postgresForGrowth(t)
	m, err := memory.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	perSecond := putAll(t, m, n)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	g := growthOf(t, cfg, disk)
	g.PerSec = perSecond
	return g
}

// postgresForGrowth makes a database, which is dropped at the end; disk is its size in MB.
func postgresForGrowth(t *testing.T) (cfg memory.Config, disk func() float64) {
	server, name := os.Getenv("POSTGRES_TEST_URL"), fmt.Sprintf("research_growth_%d", os.Getpid())
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := conn.Exec(ctx, "drop database "+name+" with (force)")
		if err := errors.Join(err, conn.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Exec(ctx, "create database "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return memory.Config{Backend: "postgres", URL: u.String()}, func() (mb float64) {
		if err := conn.QueryRow(ctx, "select pg_database_size($1) / 1048576.0", name).Scan(&mb); err != nil {
			t.Error(err)
		}
		return mb
	}
}
