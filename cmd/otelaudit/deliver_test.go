package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// database is one that was migrated.
func database(t *testing.T) (url string, pg *postgres.Exporter) {
	t.Helper()
	url = localpg.Database(t)
	pg, err := postgres.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Shutdown(context.WithoutCancel(t.Context()))) })
	require.NoError(t, pg.Migrate(t.Context()))
	return url, pg
}

// stored returns the records of the table, the oldest first.
func stored(t *testing.T, pg *postgres.Exporter) (records []*otelaudit.Record) {
	t.Helper()
	page, err := pg.Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.NoError(t, err)
	for i := range page.Records {
		records = append(records, page.Records[len(page.Records)-1-i])
	}
	return records
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	url, pg := database(t)
	require.Equal(t, "delivered 5, dead letters 0, left 0\n", succeed(t, dir, "journal deliver DIR -postgres "+url))
	records := stored(t, pg)
	require.Len(t, records, 5)
	for i, r := range records {
		require.Equal(t, update(t, 4+i), r, "as it was recorded, by the process that recorded it")
	}
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "postgres, required: has all up to 8, nothing left\n")

	require.Equal(t, `{"dir":"DIR","sink":"postgres","delivered":0,"dead_letters":0,"left":0}`+"\n",
		succeed(t, dir, "journal deliver DIR -json -postgres "+url), "there is nothing more")
	require.Len(t, stored(t, pg), 5)
}

// What damage has cost is not delivered, and stays reported when all the rest is.
func TestDeliverOfADamagedJournal(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	require.NoError(t, os.Remove(segments(t, dir)[0]))
	url, pg := database(t)
	for _, delivered := range []int{4, 0} {
		status, stdout, stderr := otelauditCommand(t, dir, "journal deliver DIR -postgres "+url)
		require.Equal(t, fault, status)
		require.Equal(t, fmt.Sprintf("delivered %d, dead letters 0, left 0\n", delivered), stdout)
		require.Contains(t, stderr, "1 record is lost, which nobody gets: 4-4;")
	}
	require.Len(t, stored(t, pg), 4)
	status, stdout, _ := otelauditCommand(t, dir, "journal inspect DIR")
	require.Equal(t, fault, status)
	note := "DIR/quarantine/0000000000000002-00000000-lost-4-4.damaged"
	require.Contains(t, stdout, "damage         segment 2, byte 0, gone (noted in "+note+"); 4: lost\n  DAMAGED: 1 record is lost\n")
	require.NoError(t, os.Remove(strings.ReplaceAll(note, "DIR", dir)))
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "  intact\n")
}

func TestDeliverForANewSink(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	url, pg := database(t)
	require.Equal(t, "otelaudit: DIR has no sink pg, but postgres, stdout: name one of those with -sink, or say with -new that it is a new one\n",
		fail(t, dir, "journal deliver DIR -sink pg -postgres "+url))
	require.Equal(t, "delivered 8, dead letters 0, left 0\n", succeed(t, dir, "journal deliver DIR -sink pg -new -postgres "+url))
	require.Len(t, stored(t, pg), 8)
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "postgres, required: has all up to 3, 5 left", "its cursor is its own")
}

func TestDeliverOfAJournalWithoutSinks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 3)
	require.NoError(t, j.Close())
	url, pg := database(t)
	require.Equal(t, "delivered 3, dead letters 0, left 0\n", succeed(t, dir, "journal deliver DIR -postgres "+url))
	require.Len(t, stored(t, pg), 3)
}

func TestDeliverOfABestEffortSink(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 3)
	commit(t, j, "postgres", journal.BestEffort, 1)
	require.NoError(t, j.Close())
	url, pg := database(t)
	require.Equal(t, "delivered 2, dead letters 0, left 0\n", succeed(t, dir, "journal deliver DIR -postgres "+url))
	require.Len(t, stored(t, pg), 2)
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "postgres, best effort: has all up to 3", "it does not become required")
}

func TestDeliverToADatabaseWithoutTheTable(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	status, stdout, stderr := otelauditCommand(t, dir, "journal deliver DIR -postgres "+localpg.Database(t))
	require.Equal(t, fault, status)
	require.Equal(t, "delivered 0, dead letters 0, left 5\n", stdout)
	require.Contains(t, stderr, "otelaudit: postgres takes nothing until this is mended: ")
	require.Contains(t, stderr, "run Migrate")
	require.Contains(t, succeed(t, dir, "journal inspect DIR"), "postgres, required: has all up to 3, 5 left")
}

func TestDeliverWithDeadLetters(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j := openJournal(t, dir)
	add(t, j, 1, 2)
	other := update(t, 2) // another activity under the time and id of 2
	other.Reason = "another"
	_, err := j.Append(t.Context(), integrity.AppendCanonical(nil, other))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	url, pg := database(t)
	status, stdout, stderr := otelauditCommand(t, dir, "journal deliver DIR -postgres "+url)
	require.Equal(t, fault, status)
	require.Equal(t, "delivered 2, dead letters 1, left 0\n", stdout)
	require.Contains(t, stderr, "otelaudit: the dead letters are not in postgres: otelaudit journal dead-letters DIR shows them and why\n")
	require.Len(t, stored(t, pg), 2)
	require.Contains(t, succeed(t, dir, "journal dead-letters DIR"), "-- 3 of audit: not for postgres since ")
}

func TestDeliverToADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	status, stdout, stderr := otelauditCommand(t, dir, "journal deliver DIR -timeout 200ms -postgres postgres://127.0.0.1:1/app")
	require.Equal(t, fault, status)
	require.Equal(t, "delivered 0, dead letters 0, left 5\n", stdout)
	require.Contains(t, stderr, "5 records are left in the journal DIR")
	require.Contains(t, stderr, "connection refused")
}

func TestDeliverWithABrokenURL(t *testing.T) {
	t.Parallel()
	dir := leftBehind(t)
	got := fail(t, dir, "journal deliver DIR -postgres postgres://app:secret@db:port/app")
	require.Contains(t, got, "otelaudit: postgres: Config.DSN: ")
	require.NotContains(t, got, "secret")
}

func TestDeliverManyBatches(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	j, err := journal.Open(journal.Config{Dir: dir})
	require.NoError(t, err)
	const n = 5000
	_, err = j.Append(t.Context(), updates(t, 1, n)...)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	url, pg := database(t)
	require.Equal(t, fmt.Sprintf("delivered %d, dead letters 0, left 0\n", n), succeed(t, dir, "journal deliver DIR -postgres "+url))
	require.Equal(t, n, strings.Count(succeed(t, dir, "journal tail DIR -json -from 1"), "\n"))
	page, err := pg.Query(t.Context(), query.Filter{Target: otelaudit.Target{Type: "invoice", ID: fmt.Sprint(n)}}, query.PageRequest{})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
}
