package localpg

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
)

// ownSettings keep out of the connections to a private cluster what PGTARGETSESSIONATTRS and PGOPTIONS say of other servers.
const ownSettings = "&target_session_attrs=any&options="

// Server is a running Postgres. Its methods are safe for concurrent use, except for Restart.
type Server struct {
	url     string
	version int      // major
	fast    bool     // nothing is synced to disk
	cluster *cluster // nil when the server is named
}

// Start returns a server that takes connections: the one that OTELAUDIT_POSTGRES_URL names, or a private cluster.
//
// It gives up when ctx is done and, in any case, after 30 seconds; once it has returned, ctx means nothing to the
// server. The error is [ErrNotInstalled] when there is nothing to start. When Postgres does not start, Start returns after
// removing its files, which can take another second, and the error has the end of its log.
//
// Call [Server.Stop] when done. What is not stopped ends with this process.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	return thisMachine().start(ctx, cfg)
}

func (m machine) start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	if m.url != "" && !cfg.Private {
		version, err := serverVersion(ctx, m.url)
		if err != nil {
			return nil, fmt.Errorf("localpg: connect to the server that OTELAUDIT_POSTGRES_URL names "+
				"(unset it to have a private one): %w", err)
		}
		return &Server{url: m.url, version: version}, nil
	}

	if m.service != "" {
		return nil, fmt.Errorf("localpg: unset PGSERVICE (%q): it has a say in the connections to a private cluster, whatever their URL is", m.service)
	}
	binaries, err := m.binaries(ctx)
	if err != nil {
		return nil, err
	}
	c, err := startCluster(m.newDir(cfg.Durable), binaries, cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		url:     "postgres://postgres@/postgres?host=" + c.dir + "&port=" + socketPort + ownSettings,
		fast:    !cfg.Durable,
		cluster: c,
	}
	s.version, err = c.awaitConnect(ctx, s.url)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if c.stop(ctx) != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("%w; it is still stopping", err)
		}
		return nil, c.failure(err)
	}
	return s, nil
}

// URL is the connection string of the maintenance database, which is for everybody: it is in the form that pgx and psql
// read, and names a superuser of a private cluster.
func (s *Server) URL() string { return s.url }

// Named reports whether OTELAUDIT_POSTGRES_URL named the server, to which [Config] then did not apply.
func (s *Server) Named() bool { return s.cluster == nil }

// Stop ends a private cluster, breaking the connections to it, and returns when its processes are gone and its files
// removed, or with an error when ctx is done; it goes on ending even then. The error has the end of Postgres's
// log if Postgres had ended before. Stop does nothing to a named server, and may be called again.
func (s *Server) Stop(ctx context.Context) error {
	if s.Named() {
		return nil
	}
	return s.cluster.stop(ctx)
}

// Restart ends Postgres with an immediate shutdown, which is a crash to its clients and to its data files, starts it
// again at the same URL, and returns when it takes connections. What was committed is there, as long as the
// computer itself has not crashed. One call at a time. It fails on a named server.
func (s *Server) Restart(ctx context.Context) error {
	if s.Named() {
		return errors.New("localpg: cannot restart the server that OTELAUDIT_POSTGRES_URL names: unset it to have a private one")
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	if err := s.cluster.crash(); err != nil {
		return err
	}
	if _, err := s.cluster.awaitConnect(ctx, s.url); err != nil {
		return fmt.Errorf("localpg: restart Postgres in %s: %w", s.cluster.dir, err)
	}
	return nil
}
