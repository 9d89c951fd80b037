package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func TestForget(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 8)
	commit(t, j, "otlp", journal.Required, 1) // which pins: else what postgres has might be gone before otlp begins
	commit(t, j, "postgres", journal.Required, 8)
	commit(t, j, "stdout", journal.BestEffort, 8)
	require.NoError(t, j.Close())

	require.Equal(t, "otelaudit: DIR has no sink oltp; it has: otlp, postgres, stdout\n", fail(t, dir, "journal forget DIR oltp"))
	require.Equal(t, `forgot otlp, a required sink that never gets 2..8
no other sink needs 2..8: they go when the service is started next
`, succeed(t, dir, "journal forget DIR otlp"))
	view, err := journal.Look(nil, dir)
	require.NoError(t, err)
	require.Equal(t, uint64(1), view.Status().First, "its owner may want to keep that")
	require.Equal(t, "forgot stdout, a best-effort sink that had everything\n", succeed(t, dir, "journal forget DIR stdout"))
	require.Equal(t, `forgot postgres, a required sink that had everything
no required sink is left: from now on the journal keeps everything
`, succeed(t, dir, "journal forget DIR postgres"))
	require.Equal(t, "otelaudit: DIR has no sink postgres; it has: none\n", fail(t, dir, "journal forget DIR postgres"))
}
