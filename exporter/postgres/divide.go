package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

const (
	// divideFrom is how many records a batch must have to be divided. Of fewer than half as many, the second commit costs what
	// the second connection brings; and what comes in such batches is not behind.
	divideFrom = 512

	// aloneFor is how long an Exporter makes no second connection once it could not make one.
	aloneFor = time.Minute
)

// store stores b over conn; or over a second connection as well, where b is large, may be divided, and there is one to spare.
func (e *Exporter) store(ctx context.Context, conn *pgconn.PgConn, b *trail.Batch) result {
	if b.Divisible && len(b.Records) >= divideFrom && e.hasSecond() {
		return e.storeDivided(ctx, conn, b.Records)
	}
	s := share{records: b.Records, of: 1, divisible: b.Divisible}
	s.store(ctx, conn)
	return s.result
}

// hasSecond reports whether there is, or could be, a connection besides those in use.
func (e *Exporter) hasSecond() bool {
	pool := e.pool.Stat()
	if pool.IdleConns() > 0 {
		return true
	}
	until := e.aloneUntil.Load()
	return pool.TotalConns() < pool.MaxConns() && (until == nil || time.Now().After(*until))
}

// storeDivided stores records in two shares. It does not wait for the second connection: as long as there is none, conn takes
// one share after the other.
func (e *Exporter) storeDivided(ctx context.Context, conn *pgconn.PgConn, records []*otelaudit.Record) result {
	shares := newShares(records)
	e.onTwo(ctx, conn, shares.storeOver)
	return shares.result()
}

// onTwo calls f with conn and, from another goroutine, with a second connection, if there is one before the first f returns.
// It returns when both have.
func (e *Exporter) onTwo(ctx context.Context, conn *pgconn.PgConn, f func(context.Context, *pgconn.PgConn)) {
	waiting, giveUp := context.WithCancel(ctx)
	var second sync.WaitGroup
	var panicked any
	second.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				panicked = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			}
		}()
		err := e.withConn(waiting, func(conn *pgconn.PgConn) error {
			f(ctx, conn)
			return nil
		})
		if err != nil && waiting.Err() == nil && !errors.Is(err, sdklog.ErrExporterShutdown) {
			until := time.Now().Add(aloneFor)
			e.aloneUntil.Store(&until)
		}
	})
	defer func() { // also when this f panics: the records are the caller's again after that
		giveUp()
		second.Wait()
		if panicked != nil {
			panic(panicked) // where the caller can recover
		}
	}()
	f(ctx, conn)
}

// shares are a batch in two, of which each connection takes one when it is free to.
type shares struct {
	all  [2]share
	next atomic.Int64 // the first that nobody has taken
}

func newShares(records []*otelaudit.Record) *shares {
	s := new(shares)
	for i := range s.all {
		s.all[i] = share{records: records, number: i, of: len(s.all), divisible: true}
	}
	return s
}

// storeOver stores over conn, one after the other, the shares that nobody has taken. A failure ends that for everybody.
func (s *shares) storeOver(ctx context.Context, conn *pgconn.PgConn) {
	for i := s.next.Add(1) - 1; i < int64(len(s.all)); i = s.next.Add(1) - 1 {
		if s.all[i].store(ctx, conn); s.all[i].failure != nil {
			s.next.Store(int64(len(s.all)))
		}
	}
}

// result is what became of both.
func (s *shares) result() result {
	r := s.all[0].result
	r.add(&s.all[1].result)
	return r
}
