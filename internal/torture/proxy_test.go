//go:build unix

package torture

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"path"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a process and Postgres: the network, which can be down, dead, or cut at the worst moment.
type proxy struct {
	listener net.Listener
	upstream string // the socket of Postgres
	cuts     atomic.Int64

	mu      sync.Mutex // guards all below
	down    bool       // nobody is let in
	cutNext int        // so many COMMITs are still to be cut off from their answer
	open    chan struct{}
	conns   map[net.Conn]bool
	serving sync.WaitGroup
}

// newProxy stands before the private server that dsn names, and returns the DSN to reach it.
func newProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{
		listener: listener, upstream: path.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port")),
		open: make(chan struct{}), conns: map[net.Conn]bool{},
	}
	close(p.open)
	p.serving.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.thaw()
		p.setDown(true)
		p.serving.Wait()
	})
	u.Host, u.RawQuery = listener.Addr().String(), "sslmode=disable"
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "unix", p.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.enter(client, server) {
		return
	}
	defer p.leave(client, server)
	var answers sync.WaitGroup
	silent := make(chan struct{})
	answers.Go(func() {
		defer client.Close()
		p.answer(client, server, silent)
	})
	p.ask(client, server, silent)
	_ = server.Close()
	answers.Wait()
}

// ask takes what the client says to the server.
func (p *proxy) ask(client, server net.Conn, silent chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		p.pass()
		if n > 0 {
			if bytes.Contains(buf[:n], commitMessage) && p.takeCut() {
				close(silent) // before the server can answer
				_, _ = server.Write(buf[:n])
				_, _ = io.Copy(io.Discard, client) // until the other goroutine hangs up
				return
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// answer takes what the server says to the client, until nothing may be said any more. What comes then is the answer to a COMMIT.
func (p *proxy) answer(client, server net.Conn, silent chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		p.pass()
		select {
		case <-silent:
			if n > 0 {
				p.cuts.Add(1)
			}
			return
		default:
		}
		if n > 0 {
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

func (p *proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// setDown hangs up on everybody and lets nobody in, or lets them in again.
func (p *proxy) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	if down {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

// cut hangs up on the next n COMMITs once Postgres has answered.
func (p *proxy) cut(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutNext += n
}

func (p *proxy) takeCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cutNext == 0 {
		return false
	}
	p.cutNext--
	return true
}

// freeze passes nothing on, and does not hang up either.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// pass returns when something may pass.
func (p *proxy) pass() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}
