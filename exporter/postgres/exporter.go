package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/query"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// Exporter keeps activities in Postgres. Make one with [Open] or [New]. Its methods are safe for concurrent use; each call
// uses one connection of the pool while it runs, and a large divisible batch a second one, if the pool has one to spare.
type Exporter struct {
	pool     *pgxpool.Pool
	ownsPool bool
	ahead    ahead

	mu    sync.RWMutex // guards shut, and that no call begins once it is set
	shut  bool
	calls sync.WaitGroup
	done  chan struct{} // closed when the last call has ended after Shutdown

	aloneUntil atomic.Pointer[time.Time] // until then no second connection is made
}

var (
	_ trail.BatchExporter = (*Exporter)(nil)
	_ sdklog.Exporter     = (*Exporter)(nil)
	_ query.Reader        = (*Exporter)(nil)
)

// ExportBatch stores the records of b as trail.BatchExporter has it. nil means that they are committed, with
// synchronous_commit not off. Records must be made by an otelaudit.Recorder or otelaudit.ParseRecord.
//
// One transaction stores all of it, but for bad records. Where that takes several attempts, because rows are there already, a
// partition is missing or the database refuses a record, only the last one is committed.
//
// A Divisible batch is several transactions where the database refuses a record. From 512 records on it is two transactions at
// once, over two connections. It does not wait for the second one: where the pool has none to spare, or none in time, the first
// does it all. An error may then come although some records are committed; those stay one row when the batch comes again.
//
// A record is bad where the database refuses it for what it holds, where its time and id name another activity
// ([ErrConflict]), or where it is none ([ErrNotStorable]). Where the database refuses several records and takes none, it
// returns a trail.StopError, because the fault is more likely the table's. A batch without records asks whether the table
// could take some now.
func (e *Exporter) ExportBatch(ctx context.Context, b *trail.Batch) error {
	var r result
	err := e.withConn(ctx, func(pc *pgconn.PgConn) error {
		r = e.store(ctx, pc, b)
		if r.taken && ctx.Err() == nil && !pc.IsClosed() {
			e.makeAhead()
		}
		return nil
	})
	if f, failed := errors.AsType[*fault](err); failed {
		r.failure = f
	} else if err != nil {
		return err
	}
	return r.err(ctx)
}

// withConn calls f with a connection. An error is f's, a fault in getting one, or sdklog.ErrExporterShutdown.
func (e *Exporter) withConn(ctx context.Context, f func(*pgconn.PgConn) error) error {
	if !e.enter() {
		return sdklog.ErrExporterShutdown
	}
	defer e.calls.Done()
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return classifySetup(err)
	}
	defer conn.Release()
	pc := conn.Conn().PgConn()
	if encoding := pc.ParameterStatus("client_encoding"); encoding != clientEncoding {
		return &fault{stop, fmt.Errorf("the pool's connections have client_encoding %s: set it to UTF8 in ConnConfig.RuntimeParams", encoding)}
	}
	return f(pc)
}

func (e *Exporter) enter() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.shut {
		return false
	}
	e.calls.Add(1)
	return true
}
