//go:build unix

package torture

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// openPostgres makes an exporter of the test's own.
func openPostgres(t *testing.T, dsn string) *postgres.Exporter {
	t.Helper()
	e, err := postgres.Open(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.WithoutCancel(t.Context()))) })
	return e
}

// migrated makes the tables in a database.
func migrated(t *testing.T, dsn string) string {
	t.Helper()
	require.NoError(t, openPostgres(t, dsn).Migrate(t.Context()))
	return dsn
}

// requireAllThere checks what processes have left behind that ran with this configuration, when everything was delivered.
func requireAllThere(t *testing.T, o *oracle, c childConfig) *findings {
	t.Helper()
	e := evidence{table: readAll(t.Context(), openPostgres(t, c.DSN))}
	if c.Dir != "" {
		e.dead = readDeadLetters(t, c.Dir)
	}
	if c.Lines != "" {
		var err error
		e.lines, err = readLines(c.Lines)
		require.NoError(t, err)
	}
	f, err := o.check(e)
	require.NoError(t, err)
	totals.add(f)
	t.Log(f)
	require.NoError(t, f.err())
	require.Positive(t, f.acknowledged)

	// What the exporter's own reader does not show, it could hide.
	conn := connected(t, c.DSN)
	defer conn.Close(t.Context())
	var rows, ids int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT id) FROM otelaudit.activity`).Scan(&rows, &ids))
	require.Equal(t, []int{f.stored + f.own, f.stored + f.own}, []int{rows, ids}, "rows, and ids")
	return f
}

// readAll yields all that a reader has, newest first.
func readAll(ctx context.Context, from query.Reader) iter.Seq2[*otelaudit.Record, error] {
	return func(yield func(*otelaudit.Record, error) bool) {
		p := query.PageRequest{Limit: query.MaxLimit}
		for {
			page, err := from.Query(ctx, query.Filter{}, p)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
			if p.After = page.Next; p.After == "" {
				return
			}
		}
	}
}

func readDeadLetters(t *testing.T, dir string) (letters []deadLetter) {
	t.Helper()
	for l, err := range trail.DeadLetters(dir) {
		require.NoError(t, err)
		require.Equal(t, "postgres", l.Sink)
		r, err := l.Record()
		require.NoError(t, err)
		letters = append(letters, deadLetter{r, l.Reason})
	}
	return letters
}
