package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

const (
	// maxBatchBytes bounds what a deliverer has in memory, as records take it in the journal: one batch of it, whatever waits
	// behind. A single record may be larger.
	maxBatchBytes = 4 << 20
	// commitEvery is how long after a delivery its cursor is on disk at the latest. What a crash takes back of it is delivered
	// twice.
	commitEvery = 100 * time.Millisecond
	// maxJournalPause is the longest pause after a failed attempt: nobody waits for it, and a sink that is back is not to be
	// kept waiting long.
	maxJournalPause = 2 * time.Second
	// gatherFor is how long a deliverer lets records come together at most: a few COMMITs a second instead of hundreds, and what
	// looks at the table for what happens now does not notice.
	gatherFor = 250 * time.Millisecond
)

// deliverer takes the records of one journal to one sink, in order: one goroutine, and the journal's reader of the sink's name.
type deliverer struct {
	*outlet
	store    *journaled
	journal  *journal.Journal
	reader   *journal.Reader
	own      bool            // of the trail's own journal, so that a Track may wait for it
	once     bool            // end where the sink stops, instead of asking again
	draining context.Context //nolint:containedctx // ends when what is there now is all that will be delivered
	mending  context.Context //nolint:containedctx // while it lasts, a sink that has stopped is asked again
	retrying context.Context //nolint:containedctx // while it lasts, what has failed is tried again

	progress *progress

	// The goroutine's own.
	items    items
	batch    Batch
	attempt  attempt
	commits  commits
	pauses   time.Duration
	caughtUp bool   // items are all that there was
	limit    int    // most records of a batch, after one that kept failing; 0: no limit
	failed   int    // attempts in a row
	missed   uint64 // by a best-effort sink, as counted
}

func newDeliverer(s *journaled, o *outlet, j *journal.Journal, draining context.Context) (*deliverer, error) { //nolint:revive // not this call's
	kind := journal.Required
	if o.bestEffort {
		kind = journal.BestEffort
	}
	r, err := j.Reader(o.name, kind)
	if err != nil {
		return nil, err
	}
	d := &deliverer{outlet: o, store: s, journal: j, reader: r, own: j == s.journal, progress: newProgress()}
	d.draining, d.mending, d.retrying = draining, draining, context.Background()
	d.batch.Divisible = true
	d.commits.reader = r
	status := j.Status()
	if cursor, ok := reader(&status, o.name); ok {
		d.progress.reach(cursor.Seq)
	}
	return d, nil
}

// insist has the deliverer try again, whatever the fault is, while ctx lasts, and end with the first one after that.
func (d *deliverer) insist(ctx context.Context) { d.mending, d.retrying = ctx, ctx }

// run delivers until running ends, or draining has and there is nothing left.
func (d *deliverer) run(running context.Context) {
	defer d.attempt.end()
	defer d.reader.Close()
	defer d.commits.end(d.outlet)
	d.pauses = firstPause
	for {
		records, err := d.next()
		switch {
		case err != nil: // of the file system, and may pass
			d.failing(err)
			rest(running, time.Second)
			if d.retrying.Err() != nil {
				return
			}
		case records == nil:
			return
		case !d.deliver(running, records):
			return
		}
		if running.Err() != nil {
			return
		}
		d.gather()
	}
}

// gather lets records come together for the next batch, where the last batch was all that there was, more came while it was
// under way, and nobody waits for a delivery. A best-effort sink would miss what the journal drops meanwhile.
func (d *deliverer) gather() {
	select {
	case <-d.progress.hurry: // who said so has got its records, or is seen by awaited
	default:
	}
	behind := d.reader.Behind()
	if d.bestEffort || !d.caughtUp || behind == 0 || behind >= uint64(d.maxBatch) || d.awaited() { //nolint:gosec // positive
		return
	}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-d.progress.hurry:
			return
		case <-d.commits.until(d.draining).Done():
			if d.draining.Err() != nil {
				return
			}
			d.commits.now(d.outlet)
		}
	}
}

// awaited reports whether somebody waits for a delivery. Who comes later hastens it.
func (d *deliverer) awaited() bool {
	return d.own && d.store.expected.calls.Load() > 0 || d.progress.awaited()
}

// next returns what the journal has next, or nothing when there will be no more.
func (d *deliverer) next() ([]journal.Record, error) {
	for {
		records, err := d.reader.Next(d.commits.until(d.draining), d.maxBatch, maxBatchBytes)
		d.countMissed()
		d.caughtUp = d.reader.Behind() == 0
		switch {
		case err == nil:
			return records, nil
		case d.draining.Err() != nil || errors.Is(err, journal.ErrClosed):
			return nil, nil //nolint:nilerr // that is the end, and no fault
		case errors.Is(err, context.DeadlineExceeded):
			d.commits.now(d.outlet)
		default:
			return nil, err
		}
	}
}

// countMissed counts what the journal no longer had for a best-effort sink.
func (d *deliverer) countMissed() {
	if !d.bestEffort {
		return
	}
	if missed := d.reader.Missed(); missed > d.missed {
		d.lost(int(missed-d.missed), dropBehind) //nolint:gosec // a count
		d.missed = missed
	}
}

// deliver takes records to the exporter, and to the dead letters what will never get there. It reports whether all of them
// are there, and the deliverer goes on.
func (d *deliverer) deliver(running context.Context, records []journal.Record) bool {
	d.load(records)
	for len(d.items.unreadable) > 0 {
		if d.bury(d.items.unreadable) {
			d.items.unreadable = d.items.unreadable[:0]
		} else if !d.pause(running) {
			return false
		}
	}
	for at := 0; at < len(d.items.records); {
		n := len(d.items.records) - at
		if d.limit > 0 {
			n = min(n, d.limit)
		}
		taken, goOn := d.send(running, at, at+n)
		if taken {
			d.progress.reach(d.items.seqs[at+n-1])
			d.commits.add(d.items.seqs[at+n-1])
			at += n
		}
		if !goOn {
			return false
		}
	}
	last := records[len(records)-1].Seq // also where nothing of it was readable
	d.progress.reach(last)
	d.commits.add(last)
	d.commits.due(d.outlet)
	return true
}

// send gives the exporter the records from one index to another. It reports whether they are delivered or set aside, and
// whether the deliverer goes on.
func (d *deliverer) send(running context.Context, from, to int) (taken, goOn bool) {
	d.batch.Records = d.items.records[from:to]
	if d.stopped() != nil { // as the deliverer of another journal has found
		return false, d.awaitMended(running)
	}
	err := blame(d.export(running, &d.attempt, &d.batch), &d.batch)
	if err == nil {
		d.delivered(from, to, nil)
		return true, running.Err() == nil
	}
	if running.Err() != nil {
		return false, false
	}
	var bad *BadRecordsError
	var stop *StopError
	switch {
	case errors.As(err, &bad):
		reasons, buried := d.setAside(bad, from)
		if buried {
			d.delivered(from, to, reasons)
			return true, true
		}
	case errors.As(err, &stop):
		d.stop(err)
		return false, d.awaitMended(running)
	default:
		d.failing(err)
	}
	d.halve(to - from)
	return false, d.pause(running)
}

// setAside buries the records that bad names, of the batch that begins at index from. It returns why by index, and whether
// they are buried.
func (d *deliverer) setAside(bad *BadRecordsError, from int) (map[int]error, bool) {
	reasons := map[int]error{}
	var letters []DeadLetter
	for _, b := range bad.Records {
		if b.Index < 0 || b.Index >= len(d.batch.Records) || d.batch.Records[b.Index].ID != b.ID || b.Reason == nil {
			d.failing(fmt.Errorf("the exporter named bad records that are not in the batch: %w", bad))
			return nil, false
		}
		i := from + b.Index
		if reasons[i] == nil {
			letters = append(letters, d.letter(d.items.seqs[i], d.items.data[i], b.Reason))
		}
		reasons[i] = errors.Join(reasons[i], b.Reason)
	}
	if len(letters) == 0 {
		d.failing(fmt.Errorf("the exporter named no bad record: %w", bad))
		return nil, false
	}
	return reasons, d.bury(letters)
}

func (d *deliverer) letter(seq uint64, data []byte, reason error) DeadLetter {
	return DeadLetter{
		Sink: d.name, Dir: nameOf(d.journal.Dir()), Seq: seq, Time: time.Now().UTC(),
		Reason: clip(reason.Error()), Data: data,
	}
}

// bury puts letters on disk, and counts and reports them. It reports whether it could.
func (d *deliverer) bury(letters []DeadLetter) bool {
	if err := d.store.letters.add(letters); err != nil {
		d.failing(fmt.Errorf("the dead letters: %w", err))
		return false
	}
	for _, l := range letters {
		report(fmt.Errorf("otelaudit: sink %q: record %d of journal %q is set aside: %s", d.name, l.Seq, l.Dir, l.Reason))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letters += uint64(len(letters))
	d.drop(len(letters), dropRejected)
	return true
}

// delivered notes that the exporter has the records from one index to another, but for those with a reason.
func (d *deliverer) delivered(from, to int, reasons map[int]error) {
	d.failed, d.pauses = 0, firstPause
	if d.limit *= 2; d.limit >= d.maxBatch {
		d.limit = 0
	}
	d.mu.Lock()
	d.exported += uint64(to - from - len(reasons)) //nolint:gosec // a count
	d.setState(Running, nil)
	d.mu.Unlock()
	if !d.own || d.bestEffort || d.store.expected.calls.Load() == 0 {
		return
	}
	for i := from; i < to; i++ {
		a := arrival{seq: d.items.seqs[i]}
		if reason := reasons[i]; reason != nil {
			a.err = fmt.Errorf("%w: sink %q has set it aside: %w", otelaudit.ErrNotDelivered, d.name, reason)
		}
		d.store.expected.arrived(d.items.records[i].ID, a)
	}
}

// halve makes batches smaller when they keep failing: a single record may be what the exporter cannot take, and all before it
// are to get through. Batches grow again as they succeed.
func (d *deliverer) halve(n int) {
	if d.failed++; d.failed > 1 && n > 1 {
		d.limit = n / 2
	}
}

// failing notes a fault that may pass.
func (d *deliverer) failing(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setState(Retrying, err)
}

// stop notes a fault that somebody has to mend. Nobody waits for a sink that has stopped.
func (d *deliverer) stop(err error) {
	d.mu.Lock()
	d.setState(Stopped, err)
	failed := d.undelivered()
	d.mu.Unlock()
	if !d.bestEffort {
		d.store.expected.fail(failed)
	}
}

// pause rests after a failure, longer each time. It reports whether the deliverer goes on.
func (d *deliverer) pause(running context.Context) bool {
	rest(running, d.pauses)
	d.pauses = min(2*d.pauses, maxJournalPause)
	return running.Err() == nil && d.retrying.Err() == nil
}

// awaitMended asks a sink that has stopped every ProbeInterval whether it would take records again. It reports whether the
// deliverer goes on.
func (d *deliverer) awaitMended(running context.Context) bool {
	for {
		d.mu.Lock()
		stopped, rest := d.state == Stopped, d.untilProbe()
		d.mu.Unlock()
		if !stopped {
			return true
		}
		if d.once {
			return false
		}
		if rest > 0 {
			d.commits.now(d.outlet)
			timer := time.NewTimer(rest)
			select {
			case <-timer.C:
			case <-d.mending.Done():
				timer.Stop()
				return false
			}
			continue
		}
		err := d.export(running, &d.attempt, &Batch{Divisible: true})
		d.mu.Lock()
		if err == nil {
			d.setState(Running, nil)
		} else {
			d.lastErr, d.lastErrAt = err, time.Now()
		}
		d.mu.Unlock()
	}
}

// left is the error for what the sink has not got, or nil.
func (d *deliverer) left() error {
	status := d.journal.Status()
	n := d.waiting(&status)
	if n == 0 {
		return nil
	}
	err := fmt.Errorf("otelaudit: sink %q: %s left in the journal %s: the next start on it delivers them", d.name, records(n), d.journal.Dir())
	cause := d.trouble()
	if cause == nil && status.Unsecured > 0 {
		cause = status.LastError // the disk is full
	}
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func records(n uint64) string {
	if n == 1 {
		return "1 record is"
	}
	return fmt.Sprintf("%d records are", n)
}

// waiting returns how many records the sink has not got: not those of a damaged end, which nobody gets.
func (d *deliverer) waiting(s *journal.Status) uint64 {
	r, ok := reader(s, d.name)
	if !ok {
		return 0 // it was forgotten, or the journal is removed
	}
	return r.Lag - min(d.progress.at()-min(r.Seq, d.progress.at()), r.Lag)
}

func (d *deliverer) status(own *journal.Status) SinkStatus {
	d.mu.Lock()
	status := d.outlet.status()
	d.mu.Unlock()
	status.Waiting = int(d.waiting(own)) //nolint:gosec // a count
	if r, ok := reader(own, d.name); ok && status.Waiting > 0 {
		status.Oldest = r.Oldest
	}
	return status
}

// await returns once the sink has all up to seq, or ctx ends.
func (d *deliverer) await(ctx context.Context, seq uint64) error { return d.progress.await(ctx, seq) }
