package localpg

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestCreateDatabase(t *testing.T) {
	t.Parallel()
	s, err := sharedServer()
	require.NoError(t, err)
	url, drop, err := s.CreateDatabase(t.Context())
	require.NoError(t, err)

	conn := connect(t, url)
	require.Regexp(t, `^otelaudit_[a-z0-9]{26}$`, query(t, conn, "SELECT current_database()"))
	require.Equal(t, "UTF8", query(t, conn, "SHOW server_encoding"))
	require.Equal(t, "B,a,ä", query(t, conn, "SELECT string_agg(s, ',' ORDER BY s) FROM unnest('{a,ä,B}'::text[]) s"))

	require.NoError(t, drop(t.Context()), "although there is a connection")
	require.Error(t, conn.Ping(t.Context()))
	_, err = pgconn.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
	require.NoError(t, drop(t.Context()), "again")
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for connString, want := range map[string]string{
		"postgres://":                                "postgres:///new",
		"postgres://u:p%40w@h:1":                     "postgres://u:p%40w@h:1/new",
		"postgresql://h/old":                         "postgresql://h/new",
		"postgres://h1:1,h2:2/old?sslmode=require":   "postgres://h1:1,h2:2/new?sslmode=require",
		"postgres:///old?host=/run&user=u":           "postgres:///new?host=/run&user=u",
		"postgres://h?dbname=old&connect_timeout=1":  "postgres://h/new?connect_timeout=1",
		"postgres://h/old?database=older&dbname=old": "postgres://h/new",
		"host=/run dbname=old user=u":                "host=/run dbname=old user=u dbname=new",
	} {
		got := withDatabase(connString, "new")
		require.Equal(t, want, got)

		before, err := pgconn.ParseConfig(connString)
		require.NoError(t, err, connString)
		after, err := pgconn.ParseConfig(got)
		require.NoError(t, err, got)
		require.Equal(t, "new", after.Database)
		require.Equal(t, before.Host, after.Host)
		require.Equal(t, before.Port, after.Port)
		require.Equal(t, before.User, after.User)
	}
}
