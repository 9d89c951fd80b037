package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Equal(t, "otlp: tracked=5 received=5", lines[len(lines)-1])
	require.Contains(t, lines[1], "3 records are left in the journal")
}

// Each record arrives once, in the order of the journal, with the resource of the process that recorded it.
func TestRecordsArriveAsWhoRecordedThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := listen()
	require.NoError(t, err)
	defer func() { require.NoError(t, r.close()) }()
	_, err = record(t.Context(), dir, r.url(), "first", "a.create", "b.create")
	require.ErrorContains(t, err, "3 records are left")
	require.Empty(t, r.received())
	r.open()
	_, err = record(t.Context(), dir, r.url(), "second", "c.create")
	require.NoError(t, err)
	var got []string
	for _, x := range r.received() {
		require.NotEmpty(t, x.id)
		got = append(got, x.service+" "+x.event)
	}
	require.Equal(t, []string{
		"first otelaudit.trail.open", "first a.create", "first b.create",
		"second otelaudit.trail.open", "second c.create",
	}, got)
}
