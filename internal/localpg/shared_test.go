package localpg

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// recorder is a TB that keeps what is to happen at the end of the test, and how the test failed.
type recorder struct {
	*testing.T

	atEnd  []func()
	failed string
}

func (r *recorder) Cleanup(f func())                  { r.atEnd = append(r.atEnd, f) }
func (r *recorder) Fatalf(format string, args ...any) { r.failed = fmt.Sprintf(format, args...) }

var (
	_ TB = (*testing.T)(nil)
	_ TB = (*testing.B)(nil)
	_ TB = (*testing.F)(nil)
)

func TestDatabaseIsItsTestsOwn(t *testing.T) {
	t.Parallel()
	test, other := &recorder{T: t}, &recorder{T: t}
	url, otherURL := Database(test), Database(other)
	require.NotEqual(t, url, otherURL)

	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), "CREATE TABLE only_here ()")
	require.NoError(t, err)
	require.Equal(t, "none", query(t, connect(t, otherURL), "SELECT coalesce(to_regclass('only_here')::text, 'none')"))

	require.Len(t, test.atEnd, 1)
	test.atEnd[0]()
	_, err = pgconn.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
	require.Empty(t, test.failed)

	other.atEnd[0]()
	require.Empty(t, other.failed)
}

func TestDatabaseFailsWithoutServer(t *testing.T) {
	t.Parallel()
	test := &recorder{T: t}
	require.Empty(t, database(test, func() (*Server, error) { return nil, ErrNotInstalled }))
	require.Equal(t, ErrNotInstalled.Error(), test.failed)
}

func TestDatabaseFailsWithServerGone(t *testing.T) {
	t.Parallel()
	gone := &Server{url: "postgres://postgres@/postgres?host=" + t.TempDir()}
	test := &recorder{T: t}
	require.Empty(t, database(test, func() (*Server, error) { return gone, nil }))
	require.Contains(t, test.failed, "localpg: create database otelaudit_")
}

func TestSharedServerIsOne(t *testing.T) {
	t.Parallel()
	first, errFirst := sharedServer()
	second, errSecond := sharedServer()
	require.NoError(t, errors.Join(errFirst, errSecond))
	require.Same(t, first, second)
}
