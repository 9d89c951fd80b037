package postgres

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// opened is an Exporter without tables, in the database that dsn names.
func opened(tb testing.TB, dsn string) *Exporter {
	tb.Helper()
	e, err := Open(tb.Context(), dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(tb, e.Shutdown(ctx))
	})
	return e
}

// migrated is an Exporter with tables, in the database that dsn names.
func migrated(tb testing.TB, dsn string) *Exporter {
	tb.Helper()
	e := opened(tb, dsn)
	require.NoError(tb, e.Migrate(tb.Context()))
	return e
}

// connected is a connection of the test's own.
func connected(tb testing.TB, dsn string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// run executes SQL statements in the database that dsn names, on a connection of their own.
func run(tb testing.TB, dsn, sql string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	require.NoError(tb, err)
	defer conn.Close(context.Background())
	_, err = conn.PgConn().Exec(tb.Context(), sql).ReadAll()
	require.NoError(tb, err)
}

// scalar returns the one value that sql selects.
func scalar[T any](tb testing.TB, dsn, sql string, args ...any) T {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	require.NoError(tb, err)
	defer conn.Close(context.Background())
	var v T
	require.NoError(tb, conn.QueryRow(tb.Context(), sql, args...).Scan(&v))
	return v
}

// rows is how many rows the table has.
func rows(tb testing.TB, dsn string) int {
	tb.Helper()
	return scalar[int](tb, dsn, "SELECT count(*) FROM otelaudit.activity")
}

// stored is what e has of r.
func stored(tb testing.TB, e *Exporter, r *otelaudit.Record) *otelaudit.Record {
	tb.Helper()
	page, err := e.Query(tb.Context(), query.Filter{From: r.Time, To: r.Time.Add(time.Microsecond)}, query.PageRequest{Limit: query.MaxLimit})
	require.NoError(tb, err)
	for _, s := range page.Records {
		if s.ID == r.ID {
			return s
		}
	}
	tb.Fatalf("%s at %s is not stored", r.ID, r.Time)
	return nil
}

// freshDatabase makes an Exporter with tables in a database of its own.
func freshDatabase(tb testing.TB) (*Exporter, string) {
	tb.Helper()
	dsn := localpg.Database(tb)
	return migrated(tb, dsn), dsn
}

// inAnyCollation runs f with an Exporter in a database that sorts by bytes, and in one that sorts as people do.
func inAnyCollation(t *testing.T, f func(t *testing.T, e *Exporter, dsn string)) {
	t.Helper()
	for name, database := range map[string]func(testing.TB) string{"bytes": bytesDatabase, "language": languageDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := database(t)
			f(t, migrated(t, dsn), dsn)
		})
	}
}

func bytesDatabase(tb testing.TB) string {
	tb.Helper()
	return localpg.Database(tb)
}

// languageDatabase is the URL of a database that sorts as people do: "a" before "B", and without regard to punctuation at first.
func languageDatabase(tb testing.TB) string {
	tb.Helper()
	dsn := localpg.Database(tb)
	name := scalar[string](tb, dsn, "SELECT current_database()")
	run(tb, dsn, "CREATE DATABASE "+name+"_l TEMPLATE template0 ENCODING 'UTF8' "+languageLocale(tb, dsn))
	tb.Cleanup(func() { runDetached(tb, dsn, "DROP DATABASE "+name+"_l WITH (FORCE)") })
	return strings.ReplaceAll(dsn, name, name+"_l")
}

// languageLocale is ICU's English where the server has it, and else a locale of the C library, such as en_US.
func languageLocale(tb testing.TB, dsn string) string {
	tb.Helper()
	if scalar[bool](tb, dsn, "SELECT current_setting('server_version_num')::int >= 150000 AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')") {
		return "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LC_COLLATE 'C' LC_CTYPE 'C'"
	}
	locale := scalar[*string](tb, dsn, `SELECT min(collcollate) FROM pg_collation WHERE collprovider = 'c' AND collencoding = pg_char_to_encoding('UTF8')
		AND collcollate !~* '^(C|POSIX)($|\.)'`)
	require.NotNil(tb, locale, "the server has neither ICU nor a locale of a language: install one, such as en_US.UTF-8, or a Postgres with ICU")
	return "LC_COLLATE '" + *locale + "' LC_CTYPE '" + *locale + "'"
}

// difference names the first field in which two records differ, to the bit, or returns "".
func difference(a, b *otelaudit.Record) string {
	sameTime := func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }
	for _, f := range []struct {
		name string
		same bool
	}{
		{"ID", a.ID == b.ID},
		{"Time", sameTime(a.Time, b.Time)},
		{"Observed", sameTime(a.Observed, b.Observed)},
		{"Action", a.Action == b.Action},
		{"Verb", a.Verb == b.Verb},
		{"Actor", sameActor(&a.Actor, &b.Actor)},
		{"Target", a.Target == b.Target},
		{"Related", slices.Equal(a.Related, b.Related)},
		{"Outcome", a.Outcome == b.Outcome},
		{"ErrorType", a.ErrorType == b.ErrorType},
		{"Reason", a.Reason == b.Reason},
		{"Changes", slices.EqualFunc(a.Changes, b.Changes, func(a, b otelaudit.Change) bool {
			return a.Field == b.Field && sameValue(a.Old, b.Old) && sameValue(a.New, b.New)
		})},
		{"Metadata", slices.EqualFunc(a.Metadata, b.Metadata, sameAttribute)},
		{"Tenant", a.Tenant == b.Tenant},
		{"Operation", a.Operation == b.Operation},
		{"Request", sameRequest(a.Request, b.Request)},
		{"TraceID", a.TraceID == b.TraceID},
		{"SpanID", a.SpanID == b.SpanID},
		{"TraceFlags", a.TraceFlags == b.TraceFlags},
		{"Resource", slices.EqualFunc(a.Resource.ToSlice(), b.Resource.ToSlice(), sameAttribute)},
		{"Sanitized", slices.Equal(a.Sanitized, b.Sanitized)},
	} {
		if !f.same {
			return f.name
		}
	}
	return ""
}

func sameActor(a, b *otelaudit.Actor) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Type == b.Type && a.ID == b.ID && a.Name == b.Name && slices.Equal(a.Roles, b.Roles) && a.Tenant == b.Tenant &&
		a.Session == b.Session && a.AuthMethod == b.AuthMethod && a.Trust == b.Trust && sameActor(a.OnBehalfOf, b.OnBehalfOf)
}

func sameRequest(a, b otelaudit.Request) bool {
	return a.RouteFunc == nil && b.RouteFunc == nil && a.Method == b.Method && a.Route == b.Route && a.Path == b.Path &&
		a.RPCMethod == b.RPCMethod && a.ClientAddress == b.ClientAddress && a.PeerAddress == b.PeerAddress &&
		a.UserAgent == b.UserAgent && a.ID == b.ID
}

func sameAttribute(a, b attribute.KeyValue) bool {
	return a.Key == b.Key && sameValue(a.Value, b.Value)
}

func sameValue(a, b attribute.Value) bool {
	if a.Type() != b.Type() {
		return false
	}
	switch a.Type() {
	case attribute.FLOAT64:
		return math.Float64bits(a.AsFloat64()) == math.Float64bits(b.AsFloat64())
	case attribute.FLOAT64SLICE:
		return slices.EqualFunc(a.AsFloat64Slice(), b.AsFloat64Slice(), func(x, y float64) bool {
			return math.Float64bits(x) == math.Float64bits(y)
		})
	case attribute.SLICE:
		return slices.EqualFunc(a.AsSlice(), b.AsSlice(), sameValue)
	case attribute.MAP:
		return slices.EqualFunc(a.AsMap(), b.AsMap(), sameAttribute)
	default:
		return a == b
	}
}

func join(lines []string) string { return strings.Join(lines, "\n") }

// runDetached is run for cleanups, whose test's context is done.
func runDetached(tb testing.TB, dsn, sql string) {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(tb, err)
	defer conn.Close(context.Background())
	_, err = conn.PgConn().Exec(context.Background(), sql).ReadAll()
	require.NoError(tb, err)
}

// until waits until sql selects true.
func until(tb testing.TB, dsn, sql string) {
	tb.Helper()
	conn := connected(tb, dsn)
	require.Eventually(tb, func() bool {
		var met bool
		return conn.QueryRow(tb.Context(), sql).Scan(&met) == nil && met
	}, 20*time.Second, 5*time.Millisecond, sql)
}
