package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// trailTo is a trail with e as its one required sink. The trail shuts e down.
func trailTo(t *testing.T, e *Exporter) *trail.Trail {
	t.Helper()
	tr, err := trail.Open(t.Context(), trail.Config{
		NoJournal: true, Service: "billing", ProbeInterval: 50 * time.Millisecond,
		Sinks: []trail.Sink{{Name: "postgres", Exporter: e}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

func TestAMigrationThatIsLateStopsTheTrailUntilItIsThere(t *testing.T) {
	t.Parallel()
	dsn := localpg.Database(t)
	tr := trailTo(t, opened(t, dsn))
	a := otelaudit.Activity{Action: "invoice.approve", Actor: otelaudit.User("u-1")}
	_, err := tr.Track(t.Context(), a)
	require.ErrorIs(t, err, otelaudit.ErrUnavailable)
	require.ErrorContains(t, err, "run Migrate")
	require.False(t, tr.Status().Healthy())

	migrated(t, dsn)
	require.Eventually(t, func() bool { return tr.Status().Healthy() }, 20*time.Second, 10*time.Millisecond)
	_, err = tr.Track(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 2, rows(t, dsn), "the activity, and the opening that had waited")
}

// The server crashes again and again under load. What Track confirmed is there once; what it did not may be.
func TestNothingConfirmedIsLostWhenTheServerCrashes(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{Private: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.WithoutCancel(t.Context()))) })
	dsn, drop, err := server.CreateDatabase(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, drop(context.WithoutCancel(t.Context()))) })
	tr := trailTo(t, migrated(t, dsn))

	const goroutines = 16
	var (
		mu        sync.Mutex // guards begun and confirmed
		begun     = map[otelaudit.ID]bool{}
		confirmed = map[otelaudit.ID]bool{}
		stop      = make(chan struct{})
		wg        sync.WaitGroup
	)
	for g := range goroutines {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				a := otelaudit.Activity{
					Action: "load.create", Actor: otelaudit.User(fmt.Sprint(g)), Time: time.Now(),
					ID: otelaudit.DeriveID(fmt.Sprint(g), fmt.Sprint(i)),
				}
				mu.Lock()
				begun[a.ID] = true
				mu.Unlock()
				if _, err := tr.Track(context.Background(), a); err == nil {
					mu.Lock()
					confirmed[a.ID] = true
					mu.Unlock()
				}
			}
		})
	}
	progress := func() int { mu.Lock(); defer mu.Unlock(); return len(confirmed) }
	for range 4 {
		before := progress()
		require.Eventually(t, func() bool { return progress() > before+200 }, 60*time.Second, time.Millisecond)
		require.NoError(t, server.Restart(t.Context()))
	}
	close(stop)
	wg.Wait()

	conn := connected(t, dsn)
	there := map[otelaudit.ID]int{}
	result, err := conn.Query(t.Context(), "SELECT id FROM otelaudit.activity WHERE action = 'load.create'")
	require.NoError(t, err)
	for result.Next() {
		var id [16]byte
		require.NoError(t, result.Scan(&id))
		there[id]++
	}
	require.NoError(t, result.Err())
	for id := range confirmed {
		require.Equal(t, 1, there[id], "confirmed and not there once")
	}
	for id := range there {
		require.True(t, begun[id], "there and never tracked")
	}
	t.Logf("begun %d, confirmed %d, there %d", len(begun), len(confirmed), len(there))
}
