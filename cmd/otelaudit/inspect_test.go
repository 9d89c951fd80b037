package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	before := snapshot(t, dir)
	require.Equal(t, `DIR
  records        1..8, in 2 segments, 3.9 KiB
  reader         postgres, required: has all up to 3, 5 left, the oldest for AGE
  reader         stdout, best effort: has all up to 8, nothing left
  dead letters   0
  intact
`, ageless(succeed(t, dir, "journal inspect DIR")))
	size := 0 // the newest segment is reserved to its full size where there was time for that
	for _, path := range segments(t, dir) {
		size += len(before[path])
	}
	require.Equal(t, `{"dir":"DIR","segments":2,"bytes":`+strconv.Itoa(size)+`,"first":1,"last":8,"readers":[`+
		`{"name":"postgres","required":true,"delivered":3,"left":5,"missed":0,"oldest_seconds":AGE,"damaged":false},`+
		`{"name":"stdout","required":false,"delivered":8,"left":0,"missed":0,"oldest_seconds":AGE,"damaged":false}],`+
		`"dead_letters":0,"torn":[],"damage":[],"damaged_before":[],"lost":0,"intact":true}`+"\n",
		ageless(succeed(t, dir, "journal inspect -json DIR")))
	require.Equal(t, before, snapshot(t, dir), "inspect only reads")
}

func TestInspectAnEmptyJournal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	require.NoError(t, openJournal(t, dir).Close())
	require.Equal(t, `DIR
  records        none yet, in 1 segment, 2.0 KiB
  reader         none: all records are kept
  dead letters   0
  intact
`, succeed(t, dir, "journal inspect DIR"))
}

func TestInspectBesideTheProcessThatHasIt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 3)
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "records        1..3, in 1 segment,")
	add(t, j, 4, 4)
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "records        1..4, in 1 segment,")
}

func TestInspectDamage(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	damage(t, segments(t, dir)[0], inRecord1)
	status, stdout, stderr := otelauditCommand(t, dir, "journal inspect DIR")
	require.Equal(t, fault, status)
	require.Empty(t, stderr)
	require.Equal(t, `DIR
  records        2..8, in 2 segments, 3.9 KiB
  reader         postgres, required: has all up to 3, 5 left, the oldest for AGE
  reader         stdout, best effort: has all up to 8, nothing left
  dead letters   0
  damage         segment 1, byte 1024, 176 bytes; 1: lost
  DAMAGED: 1 record is lost
`, ageless(stdout))
	status, stdout, _ = otelauditCommand(t, dir, "journal inspect DIR -json")
	require.Equal(t, fault, status)
	require.Contains(t, stdout, `"damage":[{"segment":1,"offset":1024,"bytes":176,"from":1,"to":1}],"damaged_before":[],"lost":1,"intact":false}`)

	// The next process keeps a copy, which outlives the segment.
	const kept = "DIR/quarantine/0000000000000001-00000400-b0.damaged"
	j := openJournal(t, dir)
	require.NoError(t, j.Close())
	status, stdout, _ = otelauditCommand(t, dir, "journal inspect DIR")
	require.Equal(t, fault, status)
	require.Contains(t, stdout, "damage         segment 1, byte 1024, 176 bytes (kept in "+kept+"); 1: lost\n")

	j = openJournal(t, dir)
	commit(t, j, "postgres", journal.Required, 8)
	require.NoError(t, j.Close())
	status, stdout, _ = otelauditCommand(t, dir, "journal inspect DIR")
	require.Equal(t, fault, status)
	require.Contains(t, stdout, "damaged before "+kept+"\n  DAMAGED: see above\n", "postgres had it, so it is not lost any more")

	require.NoError(t, os.Remove(filepath.Join(dir, kept[4:])))
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "intact\n")
}

func TestInspectATornWrite(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	newest := segments(t, dir)[1]
	b, err := os.ReadFile(newest)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(newest, append(b, "half a frame"...), 0o600))
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), `
  torn           segment 2, byte 2008, 52 bytes, which a crash or a write under way left
  intact
`)
}

func TestInspectACursorThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	write(t, filepath.Join(dir, "postgres.cursor"), "not a cursor")
	status, stdout, _ := otelauditCommand(t, dir, "journal inspect DIR")
	require.Equal(t, fault, status)
	require.Contains(t, stdout, "postgres, required: has all up to 0, 8 left, the oldest for ")
	require.Contains(t, stdout, "; DAMAGED: its cursor cannot be read, so it begins again at the oldest record\n")
	require.Contains(t, stdout, "  DAMAGED: see above\n")
}

func TestInspectSeveral(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for _, name := range []string{"billing-1", "billing-2"} {
		j := openJournal(t, filepath.Join(parent, name))
		add(t, j, 1, 1)
		require.NoError(t, j.Close())
	}
	write(t, filepath.Join(parent, "other", "file"), "")
	want := `DIR/billing-1
  records        1, in 1 segment, 2.0 KiB
  reader         none: all records are kept
  dead letters   0
  intact

DIR/billing-2
  records        1, in 1 segment, 2.0 KiB
  reader         none: all records are kept
  dead letters   0
  intact
`
	require.Equal(t, want, succeed(t, parent, "journal inspect DIR"))
	require.Equal(t, "otelaudit: DIR is no journal itself: name one of those in it: DIR/billing-1, DIR/billing-2\n",
		fail(t, parent, "journal tail DIR"))

	// One that cannot be read does not hide the others.
	segment := segments(t, filepath.Join(parent, "billing-1"))[0]
	require.NoError(t, os.Remove(segment))
	require.NoError(t, os.Mkdir(segment, 0o700))
	status, stdout, stderr := otelauditCommand(t, parent, "journal inspect DIR")
	require.Equal(t, fault, status)
	require.Contains(t, stderr, "otelaudit: read DIR/billing-1: ")
	require.Contains(t, stdout, "DIR/billing-2\n  records        1, ")
	require.NoError(t, os.RemoveAll(filepath.Join(parent, "billing-1")))
	require.NoError(t, os.Symlink("loop", filepath.Join(parent, "loop")))
	status, stdout, stderr = otelauditCommand(t, parent, "journal inspect DIR")
	require.Equal(t, fault, status, "it may be a journal")
	require.Contains(t, stderr, "otelaudit: read DIR/loop: ")
	require.Contains(t, stdout, "DIR/billing-2\n  records        1, ")
}

func TestInspectCountsDeadLetters(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	succeed(t, dir, "journal skip DIR postgres -n 2")
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "dead letters   2\n  intact\n")
	damage(t, segments(t, filepath.Join(dir, deadLettersName))[0], inRecord1)
	status, stdout, _ := otelauditCommand(t, dir, "journal inspect DIR")
	require.Equal(t, fault, status)
	require.Contains(t, stdout, "dead letters   1\n  damage         dead-letters: segment 1, byte 1024, ")
	status, stdout, stderr := otelauditCommand(t, dir, "journal dead-letters DIR")
	require.Equal(t, fault, status)
	require.Contains(t, stdout, "invoice/5 ")
	require.Equal(t, "otelaudit: 1 dead letter is lost: otelaudit journal inspect DIR says more\n", stderr)
}

// What cannot be looked into is not taken for nothing.
func TestInspectDeadLettersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	write(t, filepath.Join(dir, deadLettersName), "")
	require.Contains(t, fail(t, dir, "journal inspect DIR"), "otelaudit: read DIR/dead-letters: ")
	require.Contains(t, fail(t, dir, "journal dead-letters DIR"), "DIR/dead-letters")
}

func TestInspectWhatStaysOfADeliveredJournal(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "1f")
	j := openJournal(t, dir)
	commit(t, j, "postgres", journal.Required, 0)
	add(t, j, 1, 2)
	require.NoError(t, j.Close())
	succeed(t, dir, "journal skip DIR postgres -n 2")
	adopted, err := journal.Adopt(parent, journal.Config{}, nil)
	require.NoError(t, err)
	require.NoError(t, adopted[0].RemoveDelivered())

	require.Equal(t, `DIR/1f
  records        none yet, in 0 segments, 0 bytes
  reader         none: all records are kept
  dead letters   2
  intact
`, succeed(t, parent, "journal inspect DIR"))
	require.Contains(t, succeed(t, dir, "journal dead-letters DIR"), "invoice/1 ")
	for _, line := range []string{"deliver DIR -postgres postgres://db/app", "skip DIR postgres", "forget DIR postgres"} {
		require.Equal(t, "otelaudit: DIR has been delivered and removed: only its dead letters or quarantined bytes are left\n",
			fail(t, dir, "journal "+line))
	}
}
