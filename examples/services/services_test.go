package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// given is a Postgres that somebody else stops.
func given(url string) startPostgres {
	return func(context.Context) (*postgresServer, error) {
		return &postgresServer{url: url, where: "a test's database", stop: func(context.Context) error { return nil }}, nil
	}
}

// output returns a file to write to, and what reads it.
func output(t *testing.T) (*os.File, func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f, func() string {
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		return string(text)
	}
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	return lines[len(lines)-1]
}

// line is a record in few words: service, actor, action, outcome.
func line(r *otelaudit.Record) string {
	service, _ := r.Resource.Value(otelaudit.KeyServiceName)
	return strings.Join([]string{service.AsString(), who(r.Actor), r.Action, string(r.Outcome)}, " | ")
}

func TestStory(t *testing.T) {
	t.Parallel()
	url := localpg.Database(t)
	out, printed := output(t)
	require.NoError(t, run(t.Context(), out, given(url)), printed())
	require.Equal(t, "services: processes=3 operations=4 activities=10 forged=0", lastLine(printed()))

	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, pg.Shutdown(context.WithoutCancel(t.Context()))) }()
	page, err := pg.Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.NoError(t, err)

	byOperation := map[string][]string{}
	var order []string
	for _, r := range page.Records {
		require.NotEqual(t, forgedAddress, r.Request.ClientAddress)
		if r.Action == "otelaudit.trail.open" {
			continue
		}
		require.Equal(t, "127.0.0.1", r.Request.PeerAddress, r.Action)
		require.True(t, r.TraceID.IsValid(), r.Action)
		if byOperation[r.Operation] == nil {
			order = append(order, r.Operation)
		}
		byOperation[r.Operation] = append(byOperation[r.Operation], line(r))
	}
	require.Len(t, order, 5)
	got := make([][]string, len(order))
	for i, operation := range order {
		require.Equal(t, operation == "", i == 0, "only who comes in behind the edge has no operation")
		got[i] = byOperation[operation]
	}
	require.Equal(t, [][]string{
		{"orders | anonymous | order.place | denied", "orders | anonymous | otelaudit.actor_token.reject | denied"},
		{"edge | bob | cart.checkout | denied", "orders | edge for bob | order.place | denied", "billing | orders for edge for bob | invoice.charge | denied"},
		{"edge | bob | user.login | success"},
		{"edge | alice | cart.checkout | success", "orders | edge for alice | order.place | success", "billing | orders for edge for alice | invoice.charge | success"},
		{"edge | alice | user.login | success"},
	}, got)
	for _, l := range got[3] {
		require.Contains(t, printed(), strings.Split(l, " | ")[1])
	}
}

func TestARowThatIsForged(t *testing.T) {
	t.Parallel()
	url := localpg.Database(t)
	db, err := openDatabase(t.Context(), given(url))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.close(t.Context())) }()
	_, err = db.pool.Exec(t.Context(), `
		CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN NEW.on_behalf_of = ''[{"type": "service", "id": "edge"}, {"type": "user", "id": "carol"}]''; RETURN NEW; END';
		CREATE TRIGGER forge BEFORE INSERT ON otelaudit.activity FOR EACH ROW WHEN (NEW.action = 'invoice.charge') EXECUTE FUNCTION forge();`)
	require.NoError(t, err)

	out, printed := output(t)
	require.ErrorContains(t, run(t.Context(), out, given(url)), "2 records say what somebody forged")
	require.Equal(t, "services: processes=3 operations=4 activities=10 forged=2", lastLine(printed()))
}

func TestWithoutPostgres(t *testing.T) {
	t.Parallel()
	out, printed := output(t)
	none := func(context.Context) (*postgresServer, error) { return nil, localpg.ErrNotInstalled }
	require.NoError(t, run(t.Context(), out, none), printed())
	require.Contains(t, printed(), localpg.ErrNotInstalled.Error())
	require.Contains(t, printed(), "invoice.charge")
	require.Equal(t, "services: processes=0 operations=0 activities=0 forged=0", lastLine(printed()))
}

func TestProcessThatDoesNotComeUp(t *testing.T) {
	t.Parallel()
	out, printed := output(t)
	_, err := start(t.Context(), out, billing, envKeys+"=no keys")
	require.ErrorContains(t, err, "billing did not come up")
	require.NotContains(t, printed(), "no keys")
}

// A service ends well when it is told to, by a signal or by the end of its input.
func TestServiceEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*process) error{
		"told": (*process).stop,
		"terminated": func(p *process) error {
			return errors.Join(p.cmd.Process.Signal(syscall.SIGTERM), p.cmd.Wait())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, printed := output(t)
			p, err := start(ctx, out, billing, envKeys+"="+newKeys())
			require.NoError(t, err, printed())
			defer p.end()
			require.NoError(t, end(p), printed())
			require.NoError(t, ctx.Err(), "only the end of its input ended it")
		})
	}
}

// The services end with the program, also when that is killed: the pipe that they all write to comes to its end.
func TestNoProcessIsLeft(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]os.Signal{"interrupted": os.Interrupt, "killed": os.Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			self, err := os.Executable()
			require.NoError(t, err)
			program := exec.CommandContext(t.Context(), self)
			program.Env = append(os.Environ(), envProgram+"=1", "OTELAUDIT_POSTGRES_URL="+localpg.Database(t))
			reading, writing, err := os.Pipe()
			require.NoError(t, err)
			defer reading.Close()
			require.NoError(t, reading.SetReadDeadline(time.Now().Add(time.Minute)))
			program.Stdout, program.Stderr = writing, writing
			require.NoError(t, program.Start())
			require.NoError(t, writing.Close())

			lines := bufio.NewReader(reading)
			for said := ""; !strings.HasPrefix(said, "edge is process"); {
				said, err = lines.ReadString('\n')
				require.NoError(t, err)
			}
			require.NoError(t, program.Process.Signal(end))
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			require.Error(t, program.Wait(), string(rest))
		})
	}
}
