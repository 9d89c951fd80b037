package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/integrity"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// journaled is the store of a trail with a journal: a record is safe once it is on disk (fsync), and is delivered from there.
type journaled struct {
	trail      *Trail
	journal    *journal.Journal
	letters    *deadLetters
	deliverers []*deliverer // of the own journal, one for each of the trail's outlets
	expected   expected
	adoption   *adoption // nil without Config.ParentDir

	drain context.CancelFunc // has the deliverers end once they have all that is there
	stop  context.CancelFunc // ends them
	done  sync.WaitGroup     // the deliverers
}

var _ store = (*journaled)(nil)

func openJournaled(t *Trail) (_ *journaled, err error) {
	s := &journaled{trail: t}
	config := t.config.journal()
	if t.config.ParentDir != "" {
		s.journal, err = journal.OpenIn(t.config.ParentDir, config)
	} else {
		s.journal, err = journal.Open(config)
	}
	if err != nil {
		return nil, fmt.Errorf("trail: %w%s", err, advice(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.journal.Close())
		}
	}()
	s.letters = newDeadLetters(s.journal, t.config.FS)
	running, stop := t.running()
	draining, drain := context.WithCancel(running)
	s.stop, s.drain = stop, drain
	for _, o := range t.outlets { // before the first record of this process, so that each sink gets it
		d, err := newDeliverer(s, o, s.journal, draining)
		if err != nil {
			stop()
			return nil, fmt.Errorf("trail: sink %q: %w", o.name, err)
		}
		s.deliverers = append(s.deliverers, d)
	}
	for _, d := range s.deliverers { // on a full disk it is they who make space for the opening
		s.done.Go(func() { d.run(running) })
	}
	if err := s.recordOpening(); err != nil {
		_, closing := s.shutdown(ended())
		return nil, errors.Join(err, closing)
	}
	if t.config.ParentDir != "" {
		s.adoption = s.adopt()
	}
	return s, nil
}

// advice says what to do about a journal that cannot be opened.
func advice(err error) string {
	if errors.Is(err, journal.ErrLocked) {
		return ": each process needs a journal of its own: give each its own Config.Dir, or all of them one Config.ParentDir"
	}
	return ""
}

// recordOpening appends the record of the opening, with what became of the records of earlier processes.
func (s *journaled) recordOpening() error {
	status := s.journal.Status()
	for i := range status.Damage {
		reportDamage(status.Dir, &status.Damage[i])
	}
	c := s.newCall()
	if err := s.trail.openingRecord(&c.first,
		attribute.Int64("journal.first", int64(status.First)), //nolint:gosec // a count
		attribute.Int64("journal.last", int64(status.Last)),   //nolint:gosec // a count
		attribute.StringSlice("journal.lost", losses(&status)),
	); err != nil {
		return err
	}
	c.records = append(c.records, &c.first)
	if err := s.submit(c, false, 0); err != nil {
		return fmt.Errorf("trail: the journal %s does not take records: %w", status.Dir, err)
	}
	s.trail.emitted.Add(1)
	return nil
}

func (*journaled) newCall() *call { return newCall(0) }

// submit appends the records of c to the journal as one commit.
func (s *journaled) submit(c *call, wait bool, timeout time.Duration) error {
	c.delivered = time.Time{}
	if wait {
		return s.submitAndWait(c, timeout)
	}
	_, err := s.append(c)
	return err
}

func (s *journaled) append(c *call) (first uint64, err error) {
	first, err = s.journal.Append(context.Background(), c.encoded.encode(c.records)...) // it has a timeout of its own
	if err != nil {
		return 0, s.refusal(err)
	}
	return first, nil
}

// submitAndWait is submit, and returns once every required sink has the records.
func (s *journaled) submitAndWait(c *call, timeout time.Duration) error {
	if s.trail.required == 0 {
		return fmt.Errorf("%w: Wait is Delivered, and the trail has no required sink to wait for", otelaudit.ErrInvalid)
	}
	c.begin(s.trail.required*len(c.records), timeout)
	e := s.expected.add(c)
	defer s.expected.remove(e)
	first, err := s.append(c)
	if err != nil {
		return err
	}
	s.expected.number(e, first)
	for _, d := range s.deliverers[:s.trail.required] {
		d.progress.hasten()
	}
	if err := s.stopped(); err != nil {
		return err
	}
	err = c.await()
	if err == errExpired { //nolint:errorlint // nobody wraps it
		return fmt.Errorf("%w within %v%s", otelaudit.ErrNotDelivered, s.trail.config.TrackTimeout, s.trail.why())
	}
	if err == nil {
		c.delivered = s.trail.recorder.Now()
	}
	return err
}

// stopped returns why a record will not be delivered soon, or nil.
func (s *journaled) stopped() error {
	for _, o := range s.trail.outlets[:s.trail.required] {
		o.mu.Lock()
		stopped, err := o.state == Stopped, o.undelivered()
		o.mu.Unlock()
		if stopped {
			return err
		}
	}
	return nil
}

// refusal is the error of Track for one of the journal.
func (s *journaled) refusal(err error) error {
	switch {
	case errors.Is(err, journal.ErrFull):
		return fmt.Errorf("%w: more than %d bytes wait for the disk", otelaudit.ErrFull, s.trail.config.MaxWaitingBytes)
	case errors.Is(err, journal.ErrTimeout):
		return fmt.Errorf("%w within %v: %w", otelaudit.ErrTimeout, s.trail.config.TrackTimeout, err)
	case errors.Is(err, journal.ErrClosed):
		return otelaudit.ErrShutdown
	case errors.Is(err, journal.ErrTooLarge):
		return fmt.Errorf("%w: the activities of one TrackAll are larger than Config.MaxWaitingBytes (%d): split them",
			otelaudit.ErrInvalid, s.trail.config.MaxWaitingBytes)
	default:
		return fmt.Errorf("%w: %w", otelaudit.ErrUnavailable, err)
	}
}

// awaitOpening has nothing to wait for: the record with the policy was on disk when the trail opened.
func (s *journaled) awaitOpening(time.Duration) error {
	if s.trail.closed.Load() {
		return otelaudit.ErrShutdown
	}
	return nil
}

func (*journaled) ready() error { return nil }

func (s *journaled) flush(ctx context.Context, i int) error {
	return s.deliverers[i].await(ctx, s.journal.Status().Last)
}

func (s *journaled) shutdown(ctx context.Context) ([]error, error) {
	var errs []error
	if s.adoption != nil {
		errs = append(errs, s.adoption.end(ctx))
	}
	s.drain()
	endDeliverers(ctx, &s.done, s.stop)
	left := make([]error, len(s.deliverers))
	for i, d := range s.deliverers {
		left[i] = d.left()
	}
	errs = append(errs, closing(ctx, s.journal.Close), closing(ctx, s.letters.close))
	return left, errors.Join(errs...)
}

// ended returns a context that has ended.
func ended() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}

// closing calls f and returns by the end of ctx, but gives it a second in any case: what it has to do is an fsync or two.
func closing(ctx context.Context, f func() error) error {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > time.Second {
		late = ctx
	}
	return bounded(late, func(context.Context) error { return f() })
}

func (s *journaled) status(status *Status) {
	own := s.journal.Status()
	status.Journal, status.Lost = &own, own.Lost()
	for _, d := range s.deliverers {
		status.Sinks = append(status.Sinks, d.status(&own))
	}
	if s.adoption != nil {
		adopted, lost := s.adoption.status()
		status.Adopted = adopted
		status.Lost += lost
	}
}

// reader returns what status says of the reader of that name.
func reader(status *journal.Status, name string) (journal.ReaderStatus, bool) {
	i, ok := slices.BinarySearchFunc(status.Readers, name, func(r journal.ReaderStatus, name string) int {
		return strings.Compare(r.Name, name)
	})
	if !ok {
		return journal.ReaderStatus{}, false
	}
	return status.Readers[i], true
}

// encoded is memory for the canonical bytes of a call's records.
type encoded struct {
	buf   []byte
	ends  []int
	parts [][]byte
}

// maxKept is the most bytes that a call keeps for the next one.
const maxKept = 64 << 10

func (e *encoded) encode(records []*otelaudit.Record) [][]byte {
	if cap(e.buf) > maxKept {
		e.buf = nil
	}
	e.buf, e.ends, e.parts = e.buf[:0], e.ends[:0], e.parts[:0]
	for _, r := range records {
		e.buf = integrity.AppendCanonical(e.buf, r)
		e.ends = append(e.ends, len(e.buf))
	}
	from := 0
	for _, end := range e.ends {
		e.parts = append(e.parts, e.buf[from:end])
		from = end
	}
	return e.parts
}
