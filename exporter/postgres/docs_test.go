package postgres

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// document is docs/schema.md.
func document(tb testing.TB) string {
	tb.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema.md"))
	require.NoError(tb, err)
	return string(doc)
}

// statements returns the SQL of docs/schema.md that stands below the comment "-- name".
func statements(tb testing.TB, name string) string {
	tb.Helper()
	_, rest, found := strings.Cut(document(tb), "```sql\n-- "+name+"\n")
	require.True(tb, found, "docs/schema.md has no SQL %q", name)
	sql, _, _ := strings.Cut(rest, "```")
	return sql
}

func TestTheDocumentedStatementsRun(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	require.NoError(t, e.ExportBatch(t.Context(), batch(at(t, "2020-01-01T00:00:00Z"), typical(t, 1, time.Now()))))
	roles := strings.NewReplacer("app_audit", scalar[string](t, dsn, "SELECT current_database() || '_a'"), "auditor", scalar[string](t, dsn, "SELECT current_database() || '_b'"))
	run(t, dsn, roles.Replace("CREATE ROLE app_audit; CREATE ROLE auditor"))
	t.Cleanup(func() {
		runDetached(t, dsn, roles.Replace("DROP OWNED BY app_audit, auditor; DROP ROLE app_audit, auditor"))
	})
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(document(t), -1)
	require.Greater(t, len(blocks), 10)
	for _, b := range blocks {
		run(t, dsn, roles.Replace(b[1]))
	}
	require.NoError(t, e.ExportBatch(context.Background(), batch(at(t, "2020-01-01T00:00:00Z"))), "the month that was archived")
}

// Whatever the table has, the document and the database's own comments explain.
func TestColumnsAndIndexesAreDocumented(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	doc := document(t)
	names := func(sql string) []string {
		return scalar[[]string](t, dsn, "SELECT array_agg(name ORDER BY name) FROM ("+sql+") AS found(name)")
	}
	columns := names("SELECT attname FROM pg_attribute WHERE attrelid = 'otelaudit.activity'::regclass AND attnum > 0")
	require.Len(t, columns, columnCount+1)
	for _, c := range columns {
		require.True(t, regexp.MustCompile("(?m)^\\| .*`"+c+"`.* \\|.*\\|.*\\|$").MatchString(doc), c)
	}
	indexes := names("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'otelaudit.activity'::regclass")
	require.Len(t, indexes, 8)
	for _, i := range indexes {
		_, _, documented := strings.Cut(doc, "\n| `"+strings.TrimPrefix(i, "otelaudit.")+"`")
		require.True(t, documented, i)
	}
	require.Empty(t, scalar[[]string](t, dsn, `SELECT coalesce(array_agg(attrelid::regclass || '.' || attname), '{}') FROM pg_attribute
		WHERE attrelid IN ('otelaudit.activity'::regclass, 'otelaudit.migration'::regclass) AND attnum > 0 AND col_description(attrelid, attnum) IS NULL`))
}
