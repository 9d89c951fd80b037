package trail

import (
	"context"
	"fmt"
	"strings"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Sink is an exporter with a name and a policy.
type Sink struct {
	// Name tells sinks apart in Status, metrics and errors. Mandatory, unique within the trail.
	Name string
	// Exporter is where records go. One that is also a [BatchExporter] is used as that; of any other, errors are always
	// retried, unless it panics over a single record, which it then never gets again. Export is called from one goroutine,
	// ForceFlush and Shutdown from others; the trail shuts it down with itself.
	Exporter sdklog.Exporter
	// BestEffort makes the sink one that never delays or fails a Track. It lags at most 65,536 records behind; then the
	// oldest are given up, and counted. Defaults to false: the sink is required.
	BestEffort bool
}

// BatchExporter is what an exporter implements to take whole batches, and to tell records that it will never take from
// faults that pass.
type BatchExporter interface {
	// ExportBatch stores the records of b. Unless b is Divisible it stores all of them or none, whatever it returns, but for those
	// that it would name in a [BadRecordsError]: the records of one TrackAll are in it, and stay together. It returns
	//
	//   - nil: every record is as durable as the exporter promises;
	//   - a [BadRecordsError]: the records it names will never be taken, all others are stored;
	//   - a [StopError]: this call stored nothing, nor will the next before somebody mends the configuration;
	//   - any other error: not confirmed. The same records come again, as often as needed, so that ExportBatch must be
	//     idempotent on a record's time and id.
	//
	// A batch without records asks whether the exporter would take some now: a stopped sink is probed so.
	//
	// b and its records belong to the trail and must not be kept or changed. ctx has a deadline, which must be honoured; a
	// trail that waits longer than it may gives up the callers, not the exporter. ExportBatch is not called concurrently by
	// one sink. It must not Track on the trail that called it: that fails with otelaudit.ErrInvalid.
	ExportBatch(ctx context.Context, b *Batch) error
}

// Batch is records in the order in which they are to be stored.
type Batch struct {
	Records []*otelaudit.Record
	// Divisible allows to store the records in several transactions, in any order: nobody waits for all of them or none.
	Divisible bool
}

// BadRecord is a record that an exporter will never take.
type BadRecord struct {
	ID     otelaudit.ID
	Index  int // within the batch
	Reason error
}

// BadRecordsError says that an exporter will never take some of a batch's records, and has stored all others.
type BadRecordsError struct {
	Records []BadRecord
}

// Error names the first few records with their reasons.
func (e *BadRecordsError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%d bad record(s)", len(e.Records))
	for i, r := range e.Records {
		if i == shown {
			b.WriteString("; …")
			break
		}
		fmt.Fprintf(&b, "; %s: %v", r.ID, r.Reason)
	}
	return b.String()
}

// StopError says that an exporter can store nothing until somebody mends a configuration: a missing table, a permission, a
// password. The sink stops, and is probed until the fault is gone.
type StopError struct {
	Err error
}

// Error gives the fault.
func (e *StopError) Error() string { return e.Err.Error() }

// Unwrap returns the fault.
func (e *StopError) Unwrap() error { return e.Err }
