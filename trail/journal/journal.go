package journal

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Journal is an open journal. Its methods may be called from several goroutines. Append, Close and Status keep their time
// whatever the disk does; Reader, Forget, Records and a Reader's Next and Commit are in system calls, which nobody can take back
// from a disk that hangs.
type Journal struct {
	config Config
	fs     FS
	dir    string
	epoch  time.Time // deadlines are counted from here, so that the wall clock may be set

	wake  chan struct{} // to the writer: a group has begun, a mark is due, or the journal closes
	kick  chan struct{} // to the keeper: a segment may go, a spare one is wanted, or the journal closes
	space chan struct{} // to a writer that waits for space: there may be some
	ended chan struct{} // closed when writer and keeper have ended and the lock is released
	pool  sync.Pool     // chan answer, of one

	busy     sync.WaitGroup // calls that write beside the writer: see enter
	keepLock atomic.Bool    // Close leaves the lock to RemoveDelivered
	view     bool           // a View's: nothing is written

	writer // belongs to the writer's goroutine

	mu             sync.Mutex // guards all below; nobody holds it in a system call
	lock           File       // the directory's; the writer alone replaces it
	open           *group     // collects what comes
	writing        *group     // is on its way to disk; nil while none is
	idle           *group     // an empty one, to use again
	closing        bool
	segments       []*segment // oldest first; the last one may be the writer's
	leaving        []*segment // oldest first: their names must be gone, on disk, before that of any other segment goes
	cursors        map[string]*cursor
	synced         uint64 // the highest number on disk
	marked         uint64 // the highest number that is known to be at or below a mark on disk
	markDue        bool   // nothing came since the timer was set: write a mark
	expiring       bool   // the timer of deadlines runs
	expiry         *time.Timer
	idling         *time.Timer
	holding        *time.Timer // until the oldest segment's retention is over
	spare          *spare      // a segment to be; nil until the keeper has made it
	spares         uint64      // counts them
	retired        []*tail     // segments that the writer has left, with unused space at their end
	damage         []Damage
	losses         []Damage  // what is lost, and was not delivered when it was found
	noted          []numbers // what notes say is lost
	torn           []Torn
	gap            Gap       // what was refused since the last gap record
	refused        uint64    // what was refused in all
	unsecured      *group    // what Open has found above every mark, while the disk has no room for it; the writer's
	unsecuredAt    time.Time // when it was written
	unsecuredCount uint64    // how many records are in it
	stalled        error     // why the group that is under way waits for space; nil while none does
	lastErr        error     // the latest failure of the writer or the keeper
	lastAt         time.Time // when
}

// Close refuses what comes from now on, brings what was taken to disk, with a mark behind it, and releases the directory. Where
// the disk hangs it returns an error after Config.CloseTimeout; the directory stays locked until the system call returns, a
// Commit's too. Readers end: commit what they have delivered before. Close may be called again.
func (j *Journal) Close() error {
	j.mu.Lock()
	j.closing = true
	for _, c := range j.cursors {
		if c.reader != nil {
			c.reader.signal()
		}
	}
	j.mu.Unlock()
	notify(j.wake)
	notify(j.kick)
	notify(j.space)
	timeout := time.NewTimer(j.config.CloseTimeout)
	defer timeout.Stop()
	select {
	case <-j.ended:
		return nil
	case <-timeout.C:
		return errors.New("journal: close: the disk does not answer; the directory stays locked until it does")
	}
}

// enter begins a call that writes to the directory: until busy.Done, the journal keeps the directory's lock. It reports false
// where the journal closes. Called with mu held.
func (j *Journal) enter() bool {
	if j.closing {
		return false
	}
	j.busy.Add(1)
	return true
}

func (j *Journal) isClosing() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closing
}

// Dir returns the journal's directory.
func (j *Journal) Dir() string { return j.dir }

// failed notes a failure for Status. Called with mu held.
func (j *Journal) failed(err error) { j.lastErr, j.lastAt = err, j.config.now() }

// note is failed, without mu.
func (j *Journal) note(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed(err)
}

// notify puts a signal into a channel of one, unless there is one already.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
