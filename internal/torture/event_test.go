//go:build unix

package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// kind says what an event tells.
type kind string

const (
	started  kind = "started"  // the process runs; its trail is not open yet
	refused  kind = "refused"  // its trail did not open; Text says why. It ends
	opened   kind = "opened"   // its trail is open
	begun    kind = "begun"    // a call is about to be made, for Count activities from First on
	acked    kind = "acked"    // it returned nil
	failed   kind = "failed"   // it returned an error, Text
	done     kind = "done"     // every goroutine has made the calls it was to make
	quiet    kind = "quiet"    // the goroutines have ended because they were told to
	measured kind = "measured" // Live bytes of the heap are in use
	refusal  kind = "refusal"  // the exporter failed with Text, and will be asked again
	dying    kind = "dying"    // it is killing itself at the point Text
	shut     kind = "shut"     // Shutdown returned, with the error Text if it is not empty; Peak is the most it had in memory, if known. It ends
)

// event is what a tortured process tells the oracle.
type event struct {
	Kind     kind
	First    number            `json:",omitempty"`
	Count    int               `json:",omitempty"`
	Receipts []receipt         `json:",omitempty"`
	Text     string            `json:",omitempty"`
	Resource map[string]string `json:",omitempty"`
	Live     uint64            `json:",omitempty"`
	Peak     uint64            `json:",omitempty"`
}

// receipt is what of an otelaudit.Receipt can be checked.
type receipt struct {
	ID   otelaudit.ID
	Time time.Time
}

// maxEvent is the most that a write to a pipe brings whole or not at all (PIPE_BUF is at least 512, and 4,096 on Linux), so that
// a kill leaves no half an event. Only the receipts of a TrackAll come near it.
const maxEvent = 4096

// announcer is whom a workload tells what it does. What tell was given outlives the process.
type announcer interface{ tell(e event) }

// pipe is the announcer of a process of its own.
type pipe struct {
	mu sync.Mutex // guards w, so that events stay apart
	w  io.Writer
}

func (p *pipe) tell(e event) {
	line, err := json.Marshal(e)
	if err == nil && len(line) >= maxEvent {
		err = fmt.Errorf("an event of %d bytes could be torn", len(line))
	}
	if err == nil {
		p.mu.Lock()
		_, err = p.w.Write(append(line, '\n'))
		p.mu.Unlock()
	}
	if err != nil {
		panic(err) // without the oracle there is no point in going on
	}
}
