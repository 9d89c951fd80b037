//go:build unix

package torture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// deadline is how long anything may take. Nothing that works comes near it, on a machine that has other work to do either; it
// turns a hang into a failure. The long form drains a million records within half of it.
var deadline = func() time.Duration {
	if long() {
		return 20 * time.Minute
	}
	return 3 * time.Minute
}()

// process is the oracle's end of a tortured process.
type process struct {
	life  int
	cmd   *exec.Cmd
	stdin io.WriteCloser
	gone  chan struct{} // closed when it has ended and everything that it said was heard

	mu      sync.Mutex // guards all below
	changed chan struct{}
	seen    map[kind]int   // how many activities, or events, of that kind
	last    map[kind]event // the latest of that kind
	err     error          // what was wrong with what it said
	output  bytes.Buffer
}

// start runs this test binary as a tortured process. It is killed when the test ends, at the latest.
func start(t *testing.T, o *oracle, c childConfig) *process {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{
		life: c.Life, cmd: exec.Command(self), gone: make(chan struct{}), changed: make(chan struct{}),
		seen: map[kind]int{}, last: map[kind]event{},
	}
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	p.cmd.ExtraFiles = []*os.File{w}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	require.NoError(t, w.Close())
	go p.listen(o, r)
	t.Cleanup(p.kill)
	return p
}

// listen hears what the process says until it is gone.
func (p *process) listen(o *oracle, r *os.File) {
	var wrong error
	said := bufio.NewReader(r)
	for {
		line, err := said.ReadBytes('\n')
		if err != nil {
			if len(line) > 0 && wrong == nil {
				wrong = fmt.Errorf("half an event: %q", line)
			}
			break
		}
		var e event
		if err = json.Unmarshal(line, &e); err == nil {
			err = o.hear(p.life, e)
		}
		if err != nil && wrong == nil {
			wrong = err
		}
		p.note(e)
	}
	_ = r.Close()
	_ = p.cmd.Wait() // killed, or not: its events tell
	o.died(p.life)
	if bytes.Contains(p.output.Bytes(), []byte("DATA RACE")) {
		wrong = fmt.Errorf("a data race:\n%s", p.output.Bytes())
	}
	p.mu.Lock()
	p.err = wrong
	p.mu.Unlock()
	close(p.gone)
}

func (p *process) note(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[e.Kind] += max(e.Count, 1)
	p.last[e.Kind] = e
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until the process has said that it did n of a kind, and returns the last event of that kind. It reports false where the
// process is gone without having said so.
func (p *process) await(t *testing.T, k kind, n int) (event, bool) {
	t.Helper()
	patience := time.NewTimer(deadline)
	defer patience.Stop()
	for gone := false; ; {
		p.mu.Lock()
		seen, last, changed := p.seen[k], p.last[k], p.changed
		p.mu.Unlock()
		if seen >= n || gone {
			return last, seen >= n
		}
		select {
		case <-changed:
		case <-p.gone:
			gone = true
		case <-patience.C:
			require.Fail(t, "it hangs", "life %d has said %s %d times, not %d", p.life, k, seen, n)
		}
	}
}

// must is await for what must come.
func (p *process) must(t *testing.T, k kind, n int) event {
	t.Helper()
	e, ok := p.await(t, k, n)
	if !ok { // it is gone, and nobody else looks at what it said
		require.Fail(t, "it ended too early", "life %d ended without %s: %s\n%s", p.life, k, p.said(refused).Text, &p.output)
	}
	return e
}

func (p *process) order(t *testing.T, order string) {
	t.Helper()
	require.NoError(t, p.say(order), "life %d", p.life)
}

// say is order for a process that may be gone.
func (p *process) say(order string) error {
	_, err := io.WriteString(p.stdin, order+"\n")
	return err
}

// kill ends the process by SIGKILL, where it has not ended, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// died waits until the process is gone, and checks that what it said was in order.
func (p *process) died(t *testing.T) {
	t.Helper()
	select {
	case <-p.gone:
	case <-time.After(deadline):
		require.Fail(t, "it hangs", "life %d does not end", p.life)
	}
	require.NoError(t, p.err, "life %d", p.life)
}

// said is the latest of a kind that the process has said.
func (p *process) said(k kind) event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[k]
}

// count is how many of a kind the process has said so far.
func (p *process) count(k kind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[k]
}

// finish lets the process deliver everything, and waits until it has ended. It returns the last that it said.
func (p *process) finish(t *testing.T) event {
	t.Helper()
	p.order(t, orderStop)
	p.must(t, quiet, 1)
	p.order(t, orderShutdown)
	e := p.must(t, shut, 1)
	require.Empty(t, e.Text, "Shutdown of life %d", p.life)
	p.died(t)
	return e
}
