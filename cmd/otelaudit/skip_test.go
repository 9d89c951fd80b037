package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

func TestSkip(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	require.Equal(t, `-- 4 of audit: not for postgres since AGE: skipped on demand
2026-05-04 UTC
12:00:04.000    alice           invoice.update  invoice/4     success
1 record skipped: postgres goes on behind 4
`, ageless(succeed(t, dir, "journal skip DIR postgres")))
	require.Regexp(t, `^{"journal":"audit","sink":"postgres","seq":5,"time":"[^"]+","reason":"skipped on demand","record":{"time":"2026-05-04T12:00:05.000000Z",.*}}
{"journal":"audit","sink":"postgres","seq":6,.*}
$`, succeed(t, dir, "journal skip DIR postgres -n 2 -json"))
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "postgres, required: has all up to 6, 2 left, ")
	require.Contains(t, succeed(t, dir, "journal skip DIR postgres -n 9"), "2 records skipped: postgres goes on behind 8\n")
	require.Equal(t, "nothing to skip: postgres has all that there is\n", succeed(t, dir, "journal skip DIR postgres"))
	require.Empty(t, succeed(t, dir, "journal skip DIR postgres -json"))

	var seqs []uint64
	for letter, err := range trail.DeadLetters(dir) {
		require.NoError(t, err)
		seqs = append(seqs, letter.Seq)
	}
	require.Equal(t, []uint64{4, 5, 6, 7, 8}, seqs)
}

func TestSkipOfASinkThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	require.Equal(t, "otelaudit: DIR has no sink otlp; it has: postgres, stdout\n", fail(t, dir, "journal skip DIR otlp"))
}

func TestAJournalInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 1)
	for _, line := range []string{"skip DIR postgres", "forget DIR postgres", "deliver DIR -postgres postgres://127.0.0.1:1/app"} {
		require.Equal(t, "otelaudit: DIR is in use: the process that has it open delivers it itself; "+
			"to do this, end that process first (fuser -v DIR/lock names it)\n", fail(t, dir, "journal "+line), line)
	}
	for _, line := range []string{"inspect DIR", "tail DIR", "dead-letters DIR"} { // which only look
		succeed(t, dir, "journal "+line)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	require.Equal(t, "none\n", succeed(t, dir, "journal dead-letters DIR"))
	require.Empty(t, succeed(t, dir, "journal dead-letters DIR -json"))
	succeed(t, dir, "journal skip DIR postgres -n 2")
	require.Equal(t, `-- 4 of audit: not for postgres since AGE: skipped on demand
2026-05-04 UTC
12:00:04.000    alice           invoice.update  invoice/4     success
-- 5 of audit: not for postgres since AGE: skipped on demand
12:00:05.000    alice           invoice.update  invoice/5     success
`, ageless(succeed(t, dir, "journal dead-letters DIR")))
	require.Regexp(t, `^{"journal":"audit","sink":"postgres","seq":4,"time":"[^"]+","reason":"skipped on demand",`+
		`"record":{"time":"2026-05-04T12:00:04.000000Z",.*"audit.record.id":"`+otelaudit.DeriveID("test", "4").String()+`",.*}}\n{.*}\n$`,
		succeed(t, dir, "journal dead-letters DIR -json"))
}
