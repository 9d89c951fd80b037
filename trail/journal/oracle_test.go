package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
)

// oracle knows what was asked of a journal and what it answered, from outside.
type oracle struct {
	mu        sync.Mutex
	calls     int
	begun     map[string]int    // record → the call that appended it
	size      map[int]int       // call → how many records
	acked     map[string]uint64 // record → the number it was promised
	seen      map[uint64]string // what a reader got
	given     uint64            // the highest number that a reader got
	confirmed uint64            // the highest number whose Commit returned
}

func newOracle() *oracle {
	return &oracle{begun: map[string]int{}, size: map[int]int{}, acked: map[string]uint64{}, seen: map[uint64]string{}}
}

// clone is for what happens in one of several possible worlds.
func (o *oracle) clone() *oracle {
	return &oracle{
		calls: o.calls, begun: o.begun, size: o.size, acked: o.acked,
		seen: maps.Clone(o.seen), given: o.given, confirmed: o.confirmed,
	}
}

// append appends n records in one call. It reports whether that was confirmed.
func (o *oracle) append(j *Journal, n int) error {
	o.mu.Lock()
	o.calls++
	call := o.calls
	o.size[call] = n
	records := make([][]byte, n)
	for i := range records {
		text := fmt.Sprintf("call %d record %d %s", call, i, strings.Repeat("x", (call*37+i*101)%700))
		o.begun[text] = call
		records[i] = []byte(text)
	}
	o.mu.Unlock()
	first, err := j.Append(context.Background(), records...)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, r := range records {
		o.acked[string(r)] = first + uint64(i)
	}
	return nil
}

// read has a reader take what is there, until its context ends or an operation fails.
func (o *oracle) read(ctx context.Context, r *Reader) {
	for {
		records, err := r.Next(ctx, 8, 4096)
		if err != nil {
			return
		}
		last := uint64(0)
		o.mu.Lock()
		for _, rec := range records {
			last = rec.Seq
			if rec.Gap == nil {
				o.seen[rec.Seq] = string(rec.Data)
			}
		}
		o.given = max(o.given, last)
		o.mu.Unlock()
		if r.Commit(last) != nil {
			return
		}
		o.mu.Lock()
		o.confirmed = last
		o.mu.Unlock()
	}
}

// look notes what can be read, as far as the power lasts.
func (o *oracle) look(j *Journal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for r, err := range j.Records(0) {
		if err == nil && r.Gap == nil {
			o.seen[r.Seq] = string(r.Data)
		}
	}
}

// check compares a journal that was opened after a crash with what was promised.
func (o *oracle) check(j *Journal) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	status := j.Status()
	if len(status.Damage) > 0 {
		return fmt.Errorf("a crash is no damage: %+v", status.Damage)
	}
	passed := uint64(0)
	for _, r := range status.Readers {
		passed = r.Seq
		if r.Seq > o.given {
			return fmt.Errorf("the cursor leads: %d of %d given", r.Seq, o.given)
		}
		if r.Seq < o.confirmed {
			return fmt.Errorf("the cursor was confirmed at %d and is at %d", o.confirmed, r.Seq)
		}
	}
	there, numbers, calls, cut, next := map[string]uint64{}, map[uint64]string{}, map[int]int{}, map[int]bool{}, uint64(0)
	for r, err := range j.Records(0) {
		if err != nil {
			return err
		}
		if next != 0 && r.Seq != next && (r.Seq < next || r.Seq-1 > passed) { // what is passed may go meanwhile
			return fmt.Errorf("record %d follows %d", r.Seq, next-1)
		}
		next = r.Seq + 1
		if r.Gap != nil {
			continue
		}
		text := string(r.Data)
		call, begun := o.begun[text]
		if !begun {
			return fmt.Errorf("record %d is a phantom: %.40q", r.Seq, text)
		}
		if other, twice := there[text]; twice {
			return fmt.Errorf("record %d is record %d again", r.Seq, other)
		}
		there[text], numbers[r.Seq] = r.Seq, text
		calls[call]++
		if r.Seq <= passed+1 { // its first records may be gone
			cut[call] = true
		}
	}
	if next != status.Last+1 && passed < status.Last {
		return fmt.Errorf("the last record is %d, of %d", next-1, status.Last)
	}
	for text, seq := range o.acked {
		if at, ok := there[text]; seq > passed && (!ok || at != seq) {
			return fmt.Errorf("record %d was confirmed and is not there (%d): %.40q", seq, at, text)
		}
	}
	for seq, text := range o.seen {
		if seq > passed && numbers[seq] != text {
			return fmt.Errorf("record %d was read and is %.40q now, not %.40q", seq, numbers[seq], text)
		}
	}
	for text, seq := range there {
		if call := o.begun[text]; calls[call] != o.size[call] && seq > passed && !cut[call] {
			return fmt.Errorf("%d of the %d records of call %d are there", calls[call], o.size[call], call)
		}
	}
	return nil
}

// workload is one life of a journal: appenders, and a reader that delivers.
type workload struct {
	config Config
	calls  int // of each appender
	reader bool
}

// run lives until all calls are made or the power fails.
func (w *workload) run(o *oracle) error {
	j, err := Open(w.config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var appenders, readers sync.WaitGroup
	if w.reader {
		r, err := j.Reader("postgres", Required)
		if err != nil {
			cancel()
			return errors.Join(err, j.Close())
		}
		readers.Go(func() { o.read(ctx, r); r.Close() })
	}
	for a := range 3 {
		appenders.Go(func() {
			for i := range w.calls {
				if err := o.append(j, 1+(a+i)%4); errors.Is(err, errPower) {
					return
				}
				runtime.Gosched()
			}
		})
	}
	appenders.Wait()
	cancel()
	readers.Wait()
	return j.Close()
}

// life runs a workload until the power fails at an operation, and checks what each kind of loss leaves. It reports whether
// the workload came so far.
func life(w workload, crashAt int, disk func() *simFS) (reached bool, err error) {
	s := disk()
	s.crashAt = crashAt
	w.config.FS = s
	o := newOracle()
	_ = w.run(o) // fails when the power does
	return s.ops >= crashAt, o.survive(s, w.config, crashAt)
}

// lives runs a workload until its process is killed at an operation, and again, with what that has left in the kernel's memory,
// until the power fails.
func lives(w workload, killAt int, disk func() *simFS) (reached bool, err error) {
	s := disk()
	s.crashAt = killAt
	w.config.FS = s
	o := newOracle()
	_ = w.run(o) // fails when it is killed
	next := s.kill()
	next.crashAt = 1 + killAt*13%120
	w.config.FS = next
	_ = w.run(o) // fails when the power does
	return s.ops >= killAt, o.survive(next, w.config, killAt)
}

// survive checks what each kind of loss leaves of a disk whose power has failed.
func (o *oracle) survive(s *simFS, config Config, at int) error {
	random := rand.New(rand.NewPCG(uint64(at), 1))
	for how := range losses {
		config.FS = s.crash(how, random)
		j, err := Open(config)
		if err != nil {
			return fmt.Errorf("crash at operation %d, loss %d: %w", at, how, err)
		}
		err = o.check(j)
		if err == nil {
			err = o.again(j)
		}
		if err := errors.Join(err, j.Close()); err != nil {
			return fmt.Errorf("crash at operation %d, loss %d: %w", at, how, err)
		}
	}
	return nil
}

// again appends to a journal that has recovered: no number may come twice, nor one that a reader has passed.
func (o *oracle) again(j *Journal) error {
	before := j.Status()
	first, err := j.Append(context.Background(), []byte("after the crash"))
	if err != nil {
		return err
	}
	if first <= before.Last || first <= o.confirmed {
		return fmt.Errorf("number %d came again: the last was %d, %d was passed", first, before.Last, o.confirmed)
	}
	return nil
}
