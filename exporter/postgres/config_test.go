package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

func TestNewRefusesWhatIsNoConfig(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "")
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for message, cfg := range map[string]Config{
		"set Config.DSN or Config.Pool":         {},
		"Config has a DSN and a Pool":           {DSN: "postgres://", Pool: pool},
		"postgres: Config.DSN: cannot parse":    {DSN: "postgres://u:secret@h:port/d"},
		"postgres: Config.DSN: failed to parse": {DSN: "postgres://h/d?pool_max_conns=none"},
	} {
		_, err := New(t.Context(), cfg)
		require.Error(t, err)
		if !strings.Contains(message, "parse") {
			require.ErrorContains(t, err, message)
		}
		require.NotContains(t, err.Error(), "secret")
	}
}

// An operator sees whose connections they are.
func TestApplicationName(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	for name, c := range map[string]struct{ dsn, want string }{
		"ours":  {dsn, "otelaudit"},
		"named": {dsn + separator(dsn) + "application_name=billing", "billing"},
	} {
		var got string
		require.NoError(t, opened(t, c.dsn).pool.QueryRow(t.Context(), "SELECT current_setting('application_name')").Scan(&got))
		require.Equal(t, c.want, got, name)
	}
}

// separator is what stands before a further parameter of dsn.
func separator(dsn string) string {
	switch {
	case !strings.Contains(dsn, "://"):
		return " "
	case strings.Contains(dsn, "?"):
		return "&"
	}
	return "?"
}

// A database that talks another encoding to its clients does not garble what they write.
func TestClientEncoding(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	run(t, dsn, "ALTER DATABASE "+scalar[string](t, dsn, "SELECT current_database()")+" SET client_encoding = 'LATIN1'")
	r := record(t, otelaudit.Activity{Action: "x", Reason: "Größe ✓"})
	require.NoError(t, opened(t, dsn).ExportBatch(t.Context(), batch(r)))
	require.Empty(t, difference(r, stored(t, e, r)))

	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	callers, err := New(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	err = callers.ExportBatch(t.Context(), batch(r))
	require.Equal(t, stop, verdictOf(err))
	require.ErrorContains(t, err, "client_encoding LATIN1: set it to UTF8")
	_, err = callers.Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.ErrorContains(t, err, "client_encoding LATIN1")
}
