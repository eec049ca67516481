package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection that comes as the time for it ends is not lost.
func TestConnectionAtTheLastMoment(t *testing.T) {
	t.Parallel()
	m := open(t)
	had, err := m.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer had.Release()
	late := func(within context.Context) (*pgxpool.Conn, error) {
		<-within.Done()
		return had, nil
	}
	if conn, err := anotherConn(t.Context(), time.Millisecond, late); conn != had || err != nil {
		t.Errorf("anotherConn = %v, %v, want the connection", conn, err)
	}
	none := func(within context.Context) (*pgxpool.Conn, error) {
		<-within.Done()
		return nil, within.Err()
	}
	if conn, err := anotherConn(t.Context(), time.Millisecond, none); conn != nil || err != nil {
		t.Errorf("anotherConn where there is none = %v, %v", conn, err)
	}
}

// Where a pooler had no second session to compare, the next opening looks again.
func TestSessionsThatCannotBeCompared(t *testing.T) { //nolint:paralleltest // as the others behind a pooler
	blue, _, schema := tenants(t)
	at := mustParse(t, bouncedAs(t, "session", "options", blue.pool.Config().ConnConfig.User, serverPassword))
	q := at.Query()
	q.Set("search_path", schema+",public")
	q.Set("pool_max_conns", "3") // as many as the pooler's
	at.RawQuery = q.Encode()
	m := openURL(t, at.String())
	if !m.conns.keeps {
		t.Error("two sessions were compared, and it is not remembered")
	}
	m.conns.keeps = false
	var taken []*pgxpool.Conn
	for range m.pool.Config().MaxConns - 1 {
		conn, err := m.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	if err := m.keepsSessions(t.Context()); err != nil || m.conns.keeps {
		t.Errorf("with one connection, keepsSessions = %v, remembered: %v", err, m.conns.keeps)
	}
	for _, conn := range taken {
		conn.Release()
	}
	if err := m.keepsSessions(t.Context()); err != nil || !m.conns.keeps {
		t.Errorf("later, keepsSessions = %v, remembered: %v", err, m.conns.keeps)
	}
}
