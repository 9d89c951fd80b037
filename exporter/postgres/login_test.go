package postgres

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// What stops or delays a login, on a server of the test's own that asks for passwords.
func TestLoginFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hba := filepath.Join(dir, "pg_hba.conf")
	// The server's user reads it.
	require.NoError(t, os.WriteFile(hba, []byte("local all postgres trust\nlocal all app scram-sha-256\n"), 0o644))
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	server, err := localpg.Start(t.Context(), localpg.Config{Private: true, Settings: map[string]string{"hba_file": hba}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	admin := server.URL()
	migrated(t, admin)
	run(t, admin, "CREATE ROLE app LOGIN PASSWORD 'right';"+granted(t, "deliver", "app"))
	app := strings.Replace(admin, "postgres@", "app:right@", 1)

	for _, c := range []struct {
		name, fault, repair, code string
		want                      verdict
	}{
		// A password that was rotated.
		{"password", "ALTER ROLE app PASSWORD 'other'", "ALTER ROLE app PASSWORD 'right'", "28P01", stop},
		{"login", "ALTER ROLE app NOLOGIN", "ALTER ROLE app LOGIN", "28000", stop},
		{"connect privilege", "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO PUBLIC", "42501", stop},
		{"connection limit", "ALTER ROLE app CONNECTION LIMIT 0", "ALTER ROLE app CONNECTION LIMIT -1", "53300", retry},
	} {
		run(t, admin, c.fault)
		e := opened(t, app) // which has no connection yet that has logged in
		r := typical(t, 1, time.Now())
		err := e.ExportBatch(t.Context(), batch(r))
		require.ErrorContains(t, err, c.code, c.name)
		require.NotContains(t, err.Error(), "right")
		require.Equal(t, c.want, verdictOf(err), c.name)
		require.Equal(t, c.want, verdictOf(e.ExportBatch(t.Context(), batch())), "%s: the probe", c.name)
		run(t, admin, c.repair)
		require.NoError(t, e.ExportBatch(t.Context(), batch()), "%s: the probe after it was mended", c.name)
		require.NoError(t, e.ExportBatch(t.Context(), batch(r)), c.name)
		require.NoError(t, e.Shutdown(t.Context()), c.name)
	}

	err = opened(t, strings.Replace(app, "/postgres?", "/none?", 1)).ExportBatch(t.Context(), batch())
	require.ErrorContains(t, err, "3D000", "no such database")
	require.Equal(t, stop, verdictOf(err), "no such database")
}

// granted is the SQL of docs/schema.md that gives role the privileges of that name.
func granted(tb testing.TB, name, role string) string {
	tb.Helper()
	return strings.NewReplacer("app_audit", role, "auditor", role).Replace(statements(tb, name))
}

// withRole is an Exporter whose connections have the privileges of a role, as docs/schema.md grants them, and no others.
func withRole(tb testing.TB, dsn, privileges string) (e *Exporter, role string) {
	tb.Helper()
	role = scalar[string](tb, dsn, "SELECT current_database() || '_"+privileges+"'")
	run(tb, dsn, "CREATE ROLE "+role+";"+granted(tb, privileges, role))
	tb.Cleanup(func() { runDetached(tb, dsn, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(tb, err)
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET ROLE "+role)
		return err
	}
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	e, err = New(tb.Context(), Config{Pool: pool})
	require.NoError(tb, err)
	return e, role
}

// The privileges that docs/schema.md gives a delivering role are all that it needs, and not enough to change what it has
// delivered.
func TestPrivilegesToDeliver(t *testing.T) {
	t.Parallel()
	for _, privileges := range []string{"deliver", "deliver_undated"} {
		t.Run(privileges, func(t *testing.T) {
			t.Parallel()
			owner, dsn := freshDatabase(t)
			e, _ := withRole(t, dsn, privileges)
			require.NoError(t, e.Migrate(t.Context()), "where all is there")
			rs := typicals(t, 5, time.Now())
			require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
			require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)), "again")
			require.NoError(t, e.ExportBatch(t.Context(), batch(at(t, "2020-01-01T00:00:00Z"))), "a partition")
			require.NoError(t, e.MakePartitions(t.Context(), time.Now(), time.Now().AddDate(0, 3, 0)))
			conflict := altered(rs[0], func(r *otelaudit.Record) { r.Reason = "other" })
			require.Equal(t, []int{0}, badRecords(t, e.ExportBatch(t.Context(), batch(conflict)), ErrConflict))
			require.Empty(t, difference(rs[0], stored(t, e, rs[0])))
			for _, sql := range []string{
				"UPDATE otelaudit.activity SET actor_id = 'nobody'",
				"DELETE FROM otelaudit.activity",
				"TRUNCATE otelaudit.activity",
				"DROP TABLE otelaudit.activity_2020_01",
				"ALTER TABLE otelaudit.activity DETACH PARTITION otelaudit.activity_2020_01",
				"UPDATE otelaudit.activity_2020_01 SET actor_id = 'nobody'",
				"ALTER TABLE otelaudit.activity DISABLE TRIGGER ALL",
				"CREATE TABLE otelaudit.other ()",
				"UPDATE otelaudit.migration SET checksum = ''",
			} {
				_, err := e.pool.Exec(t.Context(), sql)
				require.ErrorContains(t, err, "42501", sql)
			}
			_, err := e.pool.Exec(t.Context(), `INSERT INTO otelaudit.activity (time, id, observed_time, schema_version, action, actor_type, actor_id, outcome, stored_at)
				VALUES (now(), gen_random_uuid(), now(), 1, 'x', 'user', 'x', 'success', '2000-01-01')`)
			if privileges == "deliver_undated" {
				require.ErrorContains(t, err, "42501", "it cannot choose stored_at")
			} else {
				require.NoError(t, err)
			}
			require.NoError(t, owner.Migrate(t.Context()))
		})
	}
}

func TestPrivilegesToRead(t *testing.T) {
	t.Parallel()
	owner, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	require.NoError(t, owner.ExportBatch(t.Context(), batch(r)))
	e, _ := withRole(t, dsn, "read")
	page, err := e.Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, stop, verdictOf(e.ExportBatch(t.Context(), batch(typical(t, 2, time.Now())))))
	require.ErrorContains(t, e.MakePartitions(t.Context(), time.Now(), time.Now()), "42501")
}
