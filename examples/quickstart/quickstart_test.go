package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// The tests that run the program do not do so in parallel: each run is a process of its own, which sets the default trail.

const (
	storyRecords = 14 // one for each step, and that of the trail's opening
	secrets      = `DE89370400440532013000|GB29NWBK60161331926819|on leave until May|bob-dmeo|-demo`
)

// quick is for one run, or several on the same directory.
func quick(t *testing.T) config {
	t.Helper()
	return config{dir: filepath.Join(t.TempDir(), "audit"), hashIterations: 1}
}

// given is a Postgres that somebody else stops.
func given(url string) startPostgres {
	return func(context.Context) (*postgresServer, error) {
		return &postgresServer{url: url, stop: func(context.Context) error { return nil }}, nil
	}
}

// private is one that vanishes, as far as the program knows.
func private(url string) startPostgres {
	return func(ctx context.Context) (*postgresServer, error) {
		s, err := given(url)(ctx)
		s.vanishes = true
		return s, err
	}
}

func none(context.Context) (*postgresServer, error) { return nil, localpg.ErrNotInstalled }

// runOnce returns what the program writes.
func runOnce(t *testing.T, c config, start startPostgres) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), c, &out, start))
	require.Contains(t, out.String(), c.dir)
	return out.String()
}

// contents are those of all files in the journal's directory.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(bytes.TrimRight(b, "\x00")) // what is reserved
	}
	require.Contains(t, all.String(), "invoice.dispute")
	return all.String()
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	return lines[len(lines)-1]
}

func open(t *testing.T, url string) *postgres.Exporter {
	t.Helper()
	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Shutdown(context.WithoutCancel(t.Context()))) })
	return pg
}

func only(t *testing.T, records []*otelaudit.Record, action string, outcome otelaudit.Outcome) *otelaudit.Record {
	t.Helper()
	var found []*otelaudit.Record
	for _, r := range records {
		if r.Action == action && r.Outcome == outcome {
			found = append(found, r)
		}
	}
	require.Len(t, found, 1)
	return found[0]
}

func TestStory(t *testing.T) { //nolint:paralleltest // see above
	url, c := localpg.Database(t), quick(t)
	out := runOnce(t, c, given(url))
	require.Equal(t, fmt.Sprintf("quickstart: tracked=%d postgres=%[1]d journal=%[1]d", storyRecords), lastLine(out))

	page, err := open(t, url).Query(t.Context(), query.Filter{}, query.PageRequest{Limit: query.MaxLimit})
	require.NoError(t, err)
	require.Len(t, page.Records, storyRecords)

	outcomes := map[otelaudit.Outcome]int{}
	for _, r := range page.Records {
		outcomes[r.Outcome]++
		if r.Action == "otelaudit.trail.open" {
			continue
		}
		require.True(t, r.TraceID.IsValid(), r.Action)
		require.Equal(t, "127.0.0.1", r.Request.ClientAddress, r.Action)
		require.NotEmpty(t, r.Request.Route, r.Action)
	}
	require.Equal(t, map[otelaudit.Outcome]int{otelaudit.Success: 10, otelaudit.Denied: 2, otelaudit.Failure: 2}, outcomes)

	t.Run("nothing secret", func(t *testing.T) {
		require.NotRegexp(t, secrets, out)
		require.NotRegexp(t, secrets, contents(t, c.dir))
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		var rows, tokens int
		require.NoError(t, conn.QueryRow(t.Context(),
			`SELECT count(*) FILTER (WHERE a::text ~ $1), count(*) FILTER (WHERE a.actor ? 'session' AND a.actor->>'session' !~ '^sha256:')
			FROM otelaudit.activity a`, secrets).Scan(&rows, &tokens))
		require.Zero(t, rows)
		require.Zero(t, tokens)
	})

	t.Run("what changed", func(t *testing.T) {
		update := only(t, page.Records, "invoice.update", otelaudit.Success)
		require.Equal(t, otelaudit.Diff(
			invoice{terms: terms{Cents: 125_000, IBAN: "old"}},
			invoice{terms: terms{Cents: 152_000, IBAN: "new"}},
		), update.Changes)
	})

	t.Run("who acted for whom", func(t *testing.T) {
		dispute := only(t, page.Records, "invoice.dispute", otelaudit.Success)
		require.Equal(t, "she ordered half of that", dispute.Reason)
		dana := dispute.Actor
		require.Equal(t, "dana", dana.ID)
		require.Equal(t, otelaudit.TrustVerified, dana.Trust)
		require.NotNil(t, dana.OnBehalfOf)
		require.Equal(t, demoUsers(1).byID["carol"].actor(), *dana.OnBehalfOf)
	})

	t.Run("who failed to log in", func(t *testing.T) {
		login := only(t, page.Records, "user.login", otelaudit.Failure)
		require.Equal(t, otelaudit.Anonymous(), login.Actor)
		require.Equal(t, "wrong_credentials", login.ErrorType)
	})
}

func TestWithoutPostgres(t *testing.T) { //nolint:paralleltest // see above
	c := quick(t)
	out := runOnce(t, c, none)
	require.Equal(t, fmt.Sprintf("quickstart: tracked=%d postgres=0 journal=%[1]d", storyRecords), lastLine(out))
	require.Contains(t, out, localpg.ErrNotInstalled.Error())
	_, answer, _ := strings.Cut(out, "What was denied?\n")
	require.Regexp(t, `(?s)^  TIME .*\n  \S+  dana for carol  invoice\.update .*\n  \S+  bob +invoice\.approve `, answer)
	require.NotRegexp(t, secrets, out)
	require.NotRegexp(t, secrets, contents(t, c.dir))
}

// What runs without a Postgres that stays have recorded comes into the table of the first that has one, once.
func TestALaterRunDelivers(t *testing.T) { //nolint:paralleltest // see above
	c := quick(t)
	last := fmt.Sprintf("quickstart: tracked=%d postgres=%[1]d journal=%[1]d", storyRecords)
	runOnce(t, c, none)
	require.Equal(t, last, lastLine(runOnce(t, c, private(localpg.Database(t)))))
	runOnce(t, c, none)

	url := localpg.Database(t)
	out := runOnce(t, c, given(url))
	require.Equal(t, last, lastLine(out))
	require.Contains(t, out, fmt.Sprintf("The table has also got %d records that earlier runs left", 3*storyRecords))
	out = runOnce(t, c, given(url))
	require.Equal(t, last, lastLine(out))
	require.NotContains(t, out, "earlier runs")

	page, err := open(t, url).Query(t.Context(), query.Filter{}, query.PageRequest{Limit: query.MaxLimit})
	require.NoError(t, err)
	require.Len(t, page.Records, 5*storyRecords)
}

func TestTwoRunsAtOnce(t *testing.T) { //nolint:paralleltest // see above
	c := quick(t)
	first, err := openTrail(t.Context(), c.dir, nil)
	require.NoError(t, err)
	err = run(t.Context(), c, io.Discard, none)
	require.ErrorIs(t, err, journal.ErrLocked)
	require.ErrorContains(t, err, "-dir")
	require.NoError(t, first.Close())
	runOnce(t, c, none)
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	lasting, vanishing := &database{postgresServer: &postgresServer{}}, &database{postgresServer: &postgresServer{vanishes: true}}
	for _, test := range []struct {
		n    counts
		db   *database
		want string
	}{
		{counts{tracked: 3, journal: 3}, nil, ""},
		{counts{tracked: 3, journal: 2}, nil, "the journal has 2"},
		{counts{tracked: 3, postgres: 3, journal: 2}, vanishing, "the journal has 2"},
		{counts{tracked: 3, postgres: 2, journal: 3}, vanishing, "the table has 2"},
		{counts{tracked: 3, postgres: 2, journal: 3}, lasting, "the table has 2"},
		{counts{tracked: 3, postgres: 3}, lasting, ""},
	} {
		err := test.n.check(test.db)
		if test.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.want)
		}
	}
}

func TestARowThatIsMissing(t *testing.T) { //nolint:paralleltest // see above
	url := localpg.Database(t)
	require.NoError(t, open(t, url).Migrate(t.Context()))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `
		CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN DELETE FROM otelaudit.activity a WHERE a.time = NEW.time AND a.id = NEW.id; RETURN NULL; END';
		CREATE TRIGGER forget AFTER INSERT ON otelaudit.activity
			FOR EACH ROW WHEN (NEW.action = 'invoice.approve' AND NEW.outcome = 'denied') EXECUTE FUNCTION forget();`)
	require.NoError(t, err)

	var out bytes.Buffer
	require.Error(t, run(t.Context(), quick(t), &out, given(url)))
	require.Equal(t, fmt.Sprintf("quickstart: tracked=%d postgres=%d journal=%[1]d", storyRecords, storyRecords-1), lastLine(out.String()))
}

func TestServe(t *testing.T) { //nolint:paralleltest // see above
	url, c := localpg.Database(t), quick(t)
	c.serve, c.addr = true, "127.0.0.1:0"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, c, in, given(url))
		_ = in.Close()
		ended <- err
	}()

	hint := regexp.MustCompile(`stays at (http://127\.0\.0\.1:\d+) `)
	last := ""
	for lines := bufio.NewScanner(out); lines.Scan(); last = lines.Text() {
		if match := hint.FindStringSubmatch(lines.Text()); match != nil {
			go func() { // the program waits for its output to be read
				defer stop()
				c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				resp, err := c.Post(match[1]+"/invoices", "application/json", strings.NewReader(`{"cents":1}`))
				if err == nil {
					_ = resp.Body.Close()
				}
			}()
		}
	}
	require.NoError(t, <-ended)
	require.Equal(t, fmt.Sprintf("quickstart: tracked=%d postgres=%[1]d journal=%[1]d", storyRecords+1), last)

	page, err := open(t, url).Query(t.Context(), query.Filter{Actor: otelaudit.Anonymous(), Action: "invoice.create"}, query.PageRequest{})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, otelaudit.Denied, page.Records[0].Outcome)
}
