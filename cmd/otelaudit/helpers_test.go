package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// otelauditCommand runs a command line, and returns its exit status and what it wrote. DIR in it is dir, and the other way
// round in what it wrote.
func otelauditCommand(t *testing.T, dir, line string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args := strings.Fields(line)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	status = run(t.Context(), args, &out, &errs)
	return status, strings.ReplaceAll(out.String(), dir, "DIR"), strings.ReplaceAll(errs.String(), dir, "DIR")
}

// succeed is otelauditCommand for one that has nothing to complain of.
func succeed(t *testing.T, dir, line string) string {
	t.Helper()
	status, stdout, stderr := otelauditCommand(t, dir, line)
	require.Equal(t, fine, status, "%s%s", stdout, stderr)
	require.Empty(t, stderr)
	return stdout
}

// fail is otelauditCommand for one that must say on the standard error why it did nothing.
func fail(t *testing.T, dir, line string) (stderr string) {
	t.Helper()
	status, stdout, stderr := otelauditCommand(t, dir, line)
	require.Equal(t, fault, status, "%s%s", stdout, stderr)
	require.Empty(t, stdout)
	return stderr
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// update is the nth record of billing, n seconds after noon.
func update(t *testing.T, n int) *otelaudit.Record {
	t.Helper()
	at := noon.Add(time.Duration(n) * time.Second)
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: func() time.Time { return at }})
	require.NoError(t, err)
	var r otelaudit.Record
	_, err = recorder.Record(t.Context(), &otelaudit.Activity{
		ID:     otelaudit.DeriveID("test", fmt.Sprint(n)),
		Time:   at,
		Action: "invoice.update",
		Actor:  otelaudit.User("alice"),
		Target: otelaudit.Target{Type: "invoice", ID: fmt.Sprint(n)},
	}, &r)
	require.NoError(t, err)
	r.Resource = attribute.NewSet(attribute.String("service.name", "billing"))
	return &r
}

// updates are the canonical forms of records from one n to another.
func updates(t *testing.T, from, to int) [][]byte {
	t.Helper()
	var all [][]byte
	for n := from; n <= to; n++ {
		all = append(all, integrity.AppendCanonical(nil, update(t, n)))
	}
	return all
}

// openJournal opens a journal of segments that hold about four groups of one record. It is closed with the test, or before.
func openJournal(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: dir, SegmentBytes: 2048, IdleMark: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

// add appends the updates from one n to another, each in a group of its own.
func add(t *testing.T, j *journal.Journal, from, to int) {
	t.Helper()
	for _, data := range updates(t, from, to) {
		_, err := j.Append(t.Context(), data)
		require.NoError(t, err)
	}
}

// commit has a reader get all up to seq.
func commit(t *testing.T, j *journal.Journal, name string, kind journal.Kind, seq uint64) {
	t.Helper()
	r, err := j.Reader(name, kind)
	require.NoError(t, err)
	defer r.Close()
	if seq == 0 {
		return
	}
	for given := uint64(0); given < seq; {
		records, err := r.Next(t.Context(), 1, 1<<20)
		require.NoError(t, err)
		given = records[0].Seq
	}
	require.NoError(t, r.Commit(seq))
}

// leftBehind is the journal of a process that is gone: eight records, of which the required sink postgres has three, and the
// best-effort sink stdout all.
func leftBehind(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	commit(t, j, "postgres", journal.Required, 0)
	commit(t, j, "stdout", journal.BestEffort, 0)
	add(t, j, 1, 8)
	commit(t, j, "postgres", journal.Required, 3)
	commit(t, j, "stdout", journal.BestEffort, 8)
	require.NoError(t, j.Close())
	return dir
}

// Offsets in the payloads of a journal's first records, where each is a group of its own: docs/journal-format.md.
const (
	inRecord1 = 1024 + 24 + 10
	inRecord2 = inRecord1 + 176 + 56 // the frames of a record and of its commit
)

// damage changes the byte at an offset of a file.
func damage(t *testing.T, path string, at int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[at] ^= 0xff
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// segments returns the paths of a journal's segments.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	require.NoError(t, err)
	return paths
}

// snapshot is all files below dir, with their contents.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}

var ages = regexp.MustCompile(`(the oldest for |"oldest_seconds":|since |"time":)("[^"]+"(,"reason")|\d{4}-\d\d-\d\d \S+ UTC|[0-9.smh]+)`)

// ageless is what a command wrote, without what depends on the time.
func ageless(s string) string { return ages.ReplaceAllString(s, "${1}AGE$3") }

// write makes a file, and the directories that lead to it.
func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
