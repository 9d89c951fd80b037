package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func TestTail(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	before := snapshot(t, dir)
	const six = "12:00:06.000    alice           invoice.update  invoice/6     success\n"
	const seven = "12:00:07.000    alice           invoice.update  invoice/7     success\n"
	const eight = "12:00:08.000    alice           invoice.update  invoice/8     success\n"
	for line, want := range map[string]string{
		"-n 2":         "-- from 7 on\n2026-05-04 UTC\n" + seven + eight,
		"-n 0":         "-- from 9 on\n",
		"-from 6":      "-- from 6 on\n2026-05-04 UTC\n" + six + seven + eight,
		"-from 6 -n 1": "-- from 6 on\n2026-05-04 UTC\n" + six,
		"-from 9":      "-- from 9 on\n",
	} {
		require.Equal(t, want, succeed(t, dir, "journal tail DIR "+line), line)
	}
	require.Equal(t, 8, strings.Count(succeed(t, dir, "journal tail DIR"), "invoice.update"))
	require.Equal(t, before, snapshot(t, dir), "tail only reads")
}

func TestTailAsJSON(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	require.Equal(t, fmt.Sprintf(`{"seq":8,"record":{"time":"2026-05-04T12:00:08.000000Z","observed_time":"2026-05-04T12:00:08.000000Z",`+
		`"event_name":"invoice.update","attributes":{"audit.record.id":"%s","log.record.uid":"%[1]s","audit.schema.version":"1",`+
		`"audit.actor.type":"user","audit.actor.id":"alice","otelaudit.actor.trust":"declared","audit.action":"UPDATE","audit.outcome":"success",`+
		`"audit.target.type":"invoice","audit.target.id":"8"},"resource":{"service.name":"billing"}}}`+"\n", otelaudit.DeriveID("test", "8")),
		succeed(t, dir, "journal tail DIR -json -n 1"))
}

func TestTailOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	damage(t, segments(t, dir)[0], inRecord2)
	got := succeed(t, dir, "journal tail DIR")
	require.Contains(t, got, "invoice/1 ")
	require.Contains(t, got, "-- 2: not in the journal: removed after delivery, or damaged (inspect knows)\n12:00:03.000")
	require.NotContains(t, got, "invoice/2 ")
	require.NotContains(t, succeed(t, dir, "journal tail DIR -json"), `{"seq":2,`)
}

func TestTailOfWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 1)
	_, err := j.Append(t.Context(), []byte("no record"))
	require.NoError(t, err)
	add(t, j, 3, 3)
	status, stdout, stderr := otelauditCommand(t, dir, "journal tail DIR")
	require.Equal(t, fault, status)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "invoice/1 ")
	require.Contains(t, stdout, "\n-- 2: no record: integrity: ")
	require.Contains(t, stdout, "invoice/3 ", "and on")
	status, stdout, _ = otelauditCommand(t, dir, "journal tail DIR -json")
	require.Equal(t, fault, status)
	require.Regexp(t, `(?m)^{"seq":2,"error":"integrity: .*","data":"bm8gcmVjb3Jk"}$`, stdout)
}

func TestGap(t *testing.T) {
	t.Parallel()
	gap := journal.Record{Seq: 4, Gap: &journal.Gap{Refused: 3, From: noon, To: noon.Add(1500e6)}}
	var text, lines bytes.Buffer
	require.NoError(t, newPrinter(&text, false).journalRecord(&gap))
	require.Equal(t, "-- 4: here 3 records were refused, from 2026-05-04 12:00:00.000 UTC to 2026-05-04 12:00:01.500 UTC: "+
		"their Track returned an error\n", text.String())
	p := newPrinter(&lines, true)
	require.NoError(t, p.journalRecord(&gap))
	require.NoError(t, p.flush())
	require.Equal(t, `{"seq":4,"gap":{"refused":3,"from":"2026-05-04T12:00:00Z","to":"2026-05-04T12:00:01.5Z"}}`+"\n", lines.String())
}

// following runs tail -f. It gives the lines that it writes, and ends when stop is called.
func following(t *testing.T, args ...string) (lines *bufio.Scanner, stop func() (status int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		status := run(ctx, append([]string{"journal", "tail", "-f"}, args...), write, io.Discard)
		ended <- status
		_ = write.Close()
	}()
	lines = bufio.NewScanner(read)
	return lines, func() int {
		cancel()
		_, _ = io.Copy(io.Discard, read)
		return <-ended
	}
}

// requireNext requires that lines go on with these numbers.
func requireNext(t *testing.T, lines *bufio.Scanner, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		require.True(t, lines.Scan(), "%d", n)
		require.Regexp(t, fmt.Sprintf(`^{"seq":%d,`, n), lines.Text())
	}
}

func TestTailFollows(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 3)
	lines, stop := following(t, dir, "-json", "-n", "2")
	requireNext(t, lines, 2, 3)
	add(t, j, 4, 4)
	requireNext(t, lines, 4, 4)
	add(t, j, 5, 30) // over several segments
	requireNext(t, lines, 5, 30)
	require.Greater(t, len(segments(t, dir)), 3)

	// Another process goes on, after everything was delivered.
	commit(t, j, "postgres", journal.Required, 30)
	require.NoError(t, j.Close())
	j = openJournal(t, dir)
	add(t, j, 31, 33)
	requireNext(t, lines, 31, 33)
	require.Equal(t, fine, stop())
}

func TestTailFollowsFromTheBeginning(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 20)
	lines, stop := following(t, dir, "-json", "-from", "3", "-n", "2")
	requireNext(t, lines, 3, 20) // -n is about the beginning: nothing is left out
	add(t, j, 21, 21)
	requireNext(t, lines, 21, 21)
	require.Equal(t, fine, stop())
}

func TestTailFollowsBehindDamage(t *testing.T) {
	t.Parallel()
	written := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, written)
	add(t, j, 1, 1)
	segment := segments(t, written)[0]
	one, err := os.ReadFile(segment)
	require.NoError(t, err)
	add(t, j, 2, 3)
	damage(t, segment, inRecord2)

	dir := t.TempDir()
	path := filepath.Join(dir, filepath.Base(segment))
	write(t, path, string(one))
	lines, stop := following(t, dir)
	for _, want := range []string{"-- from 1 on", "2026-05-04 UTC", "12:00:01.000    alice"} {
		require.True(t, lines.Scan())
		require.Contains(t, lines.Text(), want)
	}
	require.NoError(t, os.Rename(segment, path))
	for _, want := range []string{"-- 2: not in the journal: removed after delivery, or damaged (inspect knows)", "12:00:03.000    alice"} {
		require.True(t, lines.Scan())
		require.Contains(t, lines.Text(), want)
	}
	require.Equal(t, fine, stop())
}

func TestTailShowsNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	const evil = "\x1b[2J\u202e\u009b31m"
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	r := update(t, 1)
	r.Reason = evil
	_, err := j.Append(t.Context(), integrity.AppendCanonical(nil, r))
	require.NoError(t, err)
	commit(t, j, evil, journal.Required, 0)
	require.NoError(t, j.Close())
	for _, line := range []string{
		"tail DIR", "tail DIR -json", "inspect DIR", "inspect DIR -json", "forget DIR x" + evil,
		"skip DIR " + evil, "dead-letters DIR", "dead-letters DIR -json", "forget DIR " + evil, "ta" + evil,
	} {
		_, stdout, stderr := otelauditCommand(t, dir, "journal "+line)
		require.NotEmpty(t, stdout+stderr)
		require.NotContains(t, stdout+stderr, "\x1b", line)
		require.NotContains(t, stdout+stderr, "\u202e", line)
		require.NotContains(t, stdout+stderr, "\u009b", line)
	}
}
