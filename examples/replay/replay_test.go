package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// given is a Postgres that somebody else stops.
func given(url string) startPostgres {
	return func(context.Context, io.Writer) (string, func(context.Context) error, error) {
		return url, func(context.Context) error { return nil }, nil
	}
}

// result is what one run of the program left. Names of files are without their directory.
type result struct {
	status    int
	out, errs string
}

func replayed(ctx context.Context, url string, files ...string) result {
	var out, errs bytes.Buffer
	status := run(ctx, files, newConsole(&out, &errs), given(url))
	if len(files) == 0 {
		return result{status, out.String(), errs.String()}
	}
	dir := filepath.Dir(files[0]) + string(filepath.Separator)
	return result{status, strings.ReplaceAll(out.String(), dir, ""), strings.ReplaceAll(errs.String(), dir, "")}
}

// someEvent is number i of events that differ.
func someEvent(i int) string {
	return fmt.Sprintf(`{"eventID":"6f1f3d5e-0000-4000-8000-%012d","eventTime":"2024-%02d-01T12:00:%02dZ","eventSource":"s3.amazonaws.com",`+
		`"eventName":"GetObject","awsRegion":"eu-west-1","recipientAccountId":"111122223333","sourceIPAddress":"ec2.amazonaws.com",`+
		`"userAgent":"aws-cli","requestID":"R%d","requestParameters":{"key":"secret"},"userIdentity":{"type":"IAMUser",`+
		`"principalId":"AIDAMIA","accountId":"111122223333","userName":"mia"}}`, i, 1+i%2, i%60, i)
}

func someEvents(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(someEvent(i) + "\n")
	}
	return b.String()
}

// files writes one file for each pair of a name and its content, into one directory.
func files(t *testing.T, namesAndContents ...string) []string {
	t.Helper()
	dir, paths := t.TempDir(), []string(nil)
	for i := 0; i < len(namesAndContents); i += 2 {
		path := filepath.Join(dir, namesAndContents[i])
		require.NoError(t, os.WriteFile(path, []byte(namesAndContents[i+1]), 0o600))
		paths = append(paths, path)
	}
	return paths
}

func stored(t *testing.T, url string, f query.Filter) []*otelaudit.Record {
	t.Helper()
	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, pg.Shutdown(context.WithoutCancel(t.Context()))) }()
	page, err := pg.Query(t.Context(), f, query.PageRequest{Limit: query.MaxLimit})
	require.NoError(t, err)
	return page.Records
}

func TestReplayTwice(t *testing.T) {
	t.Parallel()
	url := localpg.Database(t)
	const events = chunkSize + 500
	document := `{"Records":[` + strings.ReplaceAll(strings.TrimSpace(someEvents(0, 100)), "\n", ",") + `]}`
	fs := files(t,
		"a.jsonl", someEvents(0, events),
		"b.json.gz", compressed(t, document), // all of them are in a.jsonl, too
		"c", compressed(t, someEvents(events-1, events+2)),
		"d", someEvents(events, events+1)+someEvents(events, events+1),
	)
	require.Equal(t, result{0, `a.jsonl: read=1500 tracked=1500 stored=1500 new=1500
b.json.gz: read=100 tracked=100 stored=100 new=0
c: read=3 tracked=3 stored=3 new=2
d: read=2 tracked=2 stored=1 new=0
a.jsonl: read=1500 tracked=1500 stored=1500 new=0
replay: read=3105 tracked=3105 stored=1502 new=1502
`, ""}, replayed(t.Context(), url, append(fs, fs[0])...))

	require.Equal(t, result{0, `a.jsonl: read=1500 tracked=1500 stored=1500 new=0
replay: read=1500 tracked=1500 stored=1500 new=0
`, ""}, replayed(t.Context(), url, fs[0]))
}

func TestReplayedRecord(t *testing.T) {
	t.Parallel()
	url := localpg.Database(t)
	require.Zero(t, replayed(t.Context(), url, files(t, "a.jsonl", someEvent(7))...).status)
	records := stored(t, url, query.Filter{Action: "aws.s3.GetObject"})
	require.Len(t, records, 1)
	r, want := records[0], mustParse(t, someEvent(7)).activity()
	require.Equal(t, want.ID, r.ID)
	require.Equal(t, want.Time, r.Time)
	require.Equal(t, want.Actor, r.Actor)
	require.Equal(t, want.Target, r.Target)
	require.Equal(t, otelaudit.Success, r.Outcome)
	require.Equal(t, "111122223333", r.Tenant)
	require.ElementsMatch(t, want.Metadata, r.Metadata)
	require.Equal(t, otelaudit.Request{ClientAddress: "ec2.amazonaws.com", UserAgent: "aws-cli", ID: "R7"}, r.Request)
}

func mustParse(t *testing.T, text string) event {
	t.Helper()
	e, err := parse([]byte(text))
	require.NoError(t, err)
	return e
}

func TestReplayOfBrokenFiles(t *testing.T) {
	t.Parallel()
	fs := files(t,
		"a.jsonl", someEvent(1)+"\n{\n"+`{"eventID":"E"}`+"\n"+someEvent(2),
		"b.json", `{"Records":[`+someEvent(3)+`,{"eventTime":"2024-01-01T00:00:00Z"},`+someEvent(4)+`]}`,
		"c.jsonl.gz", compressed(t, someEvent(5)+"\n")[:100],
		"d.jsonl", strings.Replace(someEvent(6), `"2024-`, `"1924-`, 1)+"\n"+someEvent(7),
		"e.jsonl", "\ufeff"+`{"NextToken":"y","Records":[`+someEvent(8)+"]}\n{\"Records\":[\n"+someEvent(9)+"\n"+`{"Records":[`+someEvent(10)+`],"NextToken":"z"}`,
	)
	dir := filepath.Dir(fs[0])
	got := replayed(t.Context(), localpg.Database(t), append(fs, filepath.Join(dir, "none"))...)
	require.Equal(t, result{exitIncomplete, `a.jsonl: read=2 tracked=2 stored=2 new=2
b.json: read=2 tracked=2 stored=2 new=2
c.jsonl.gz: read=0 tracked=0 stored=0 new=0
d.jsonl: read=2 tracked=1 stored=1 new=1
e.jsonl: read=3 tracked=3 stored=3 new=3
none: read=0 tracked=0 stored=0 new=0
replay: read=9 tracked=8 stored=8 new=8
`, `a.jsonl: line 2: not an event: unexpected end of JSON input
a.jsonl: line 3: not an event: it has no eventTime
b.json: line 1, record 2: not an event: it has no eventID
c.jsonl.gz: line 1: unexpected EOF
d.jsonl: line 1: otelaudit: invalid activity: Time 1924-01-01T12:00:06Z lies before 1970 (aws.s3.GetObject 6f1f3d5e-0000-4000-8000-000000000006)
e.jsonl: line 2, record 1: unexpected EOF
open none: no such file or directory
`}, got)
}

func TestReplayOfAConflict(t *testing.T) {
	t.Parallel()
	forged := strings.Replace(someEvent(1), "GetObject", "PutObject", 1)
	fs := files(t, "a.jsonl", someEvent(1)+"\n"+someEvent(2), "b.jsonl", someEvent(2)+"\n"+forged)
	url := localpg.Database(t)
	got := replayed(t.Context(), url, fs...)
	require.Equal(t, exitIncomplete, got.status)
	require.Equal(t, `a.jsonl: read=2 tracked=2 stored=2 new=2
b.jsonl: read=2 tracked=1 stored=2 new=0
replay: read=4 tracked=3 stored=2 new=2
`, got.out)
	require.Regexp(t, `^b\.jsonl: line 2: .*another activity has this time and id`, got.errs)
	require.Empty(t, stored(t, url, query.Filter{Action: "aws.s3.PutObject"}), "what is there stays")
}

func TestReplayInterrupted(t *testing.T) {
	t.Parallel()
	url := localpg.Database(t)
	fs := files(t, "a.jsonl", someEvents(0, 10), "b.jsonl", someEvents(10, 20))
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	c := newConsole(writerFunc(func(p []byte) (int, error) {
		interrupt() // after the first file
		return out.Write(p)
	}), &errs)
	require.Equal(t, exitIncomplete, run(ctx, fs, c, given(url)))
	require.Equal(t, filepath.Dir(fs[0])+`/a.jsonl: read=10 tracked=10 stored=10 new=10
replay: read=10 tracked=10 stored=10 new=10
`, out.String())
	require.Equal(t, "replay: context canceled\n", errs.String())
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestReplayIntoATrailThatIsStopped(t *testing.T) {
	t.Parallel()
	url := localpg.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, pg.Migrate(t.Context()))
	require.NoError(t, pg.Shutdown(t.Context()))
	_, err = conn.Exec(t.Context(), `
		CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER swallow BEFORE INSERT ON otelaudit.activity FOR EACH ROW EXECUTE FUNCTION swallow();`)
	require.NoError(t, err)

	got := replayed(t.Context(), url, files(t, "a.jsonl", someEvent(1), "b.jsonl", someEvent(2))...)
	require.Equal(t, exitIncomplete, got.status)
	require.Equal(t, "a.jsonl: read=1 tracked=0 stored=0 new=0\nreplay: read=1 tracked=0 stored=0 new=0\n", got.out)
	require.Regexp(t, `^a\.jsonl: line 1: otelaudit: nothing can take the record: .*take it off otelaudit\.activity`, got.errs)
	require.Contains(t, got.errs, "\nreplay: the trail does not take any more\n")
}

func TestWithoutPostgres(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	none := func(context.Context, io.Writer) (string, func(context.Context) error, error) {
		return "", nil, localpg.ErrNotInstalled
	}
	require.Equal(t, exitIncomplete, run(t.Context(), []string{"a"}, newConsole(&out, &errs), none))
	require.Empty(t, out.String())
	require.Equal(t, "replay: "+localpg.ErrNotInstalled.Error()+"\n", errs.String())
}

func TestUsage(t *testing.T) {
	t.Parallel()
	require.Equal(t, result{exitUsage, "", usage}, replayed(t.Context(), ""))
	require.Equal(t, result{exitUsage, "", "flag provided but not defined: -x\n" + usage}, replayed(t.Context(), "", "-x"))
	require.Equal(t, result{0, "", usage}, replayed(t.Context(), "", "-h"))
}

func TestConsole(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := newConsole(&out, &errs)
	require.False(t, c.live)
	c.progress("1 of 2")
	c.progress("2 of 2")
	c.result("done")
	c.problem("but")
	c.Handle(errors.New("sink"))
	require.Equal(t, "done\n", out.String())
	require.Equal(t, "1 of 2\r\x1b[K2 of 2\r\x1b[Kbut\nsink\n", errs.String())
}
