package postgres

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// lingering is a connection that is lost in the midst of a COPY, while a Write of it has not returned.
type lingering struct {
	net.Conn

	copies   *atomic.Int32 // messages with COPY data so far, over all connections
	lost     chan struct{} // closed when the connection is
	returned chan struct{} // Write returns once it is closed
}

func (l *lingering) Write(b []byte) (int, error) {
	if b[0] != 'd' || l.copies.Add(1) != 3 {
		return l.Conn.Write(b)
	}
	l.Close()
	close(l.lost)
	<-l.returned
	return len(b), nil // so that what reads the rows reads on
}

// The rows of a batch are still being read after its connection is lost: their memory is not for the next batch.
func TestALostConnectionKeepsItsRows(t *testing.T) {
	t.Parallel()
	_, dsn := freshDatabase(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.ConnConfig.TLSConfig, config.ConnConfig.Fallbacks = nil, nil
	var copies atomic.Int32
	lost, returned := make(chan struct{}), make(chan struct{})
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &lingering{conn, &copies, lost, returned}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	e, err := New(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	rs := typicals(t, 1000, time.Now()) // several messages
	s := share{records: rs, of: 1}
	require.NoError(t, e.withConn(t.Context(), func(conn *pgconn.PgConn) error {
		s.store(t.Context(), conn)
		return nil
	}))
	require.Error(t, s.failure)
	<-lost
	require.Len(t, s.rows.ends, len(rs), "nobody else may have them yet")
	close(returned)
	for range 3 {
		require.NoError(t, e.ExportBatch(t.Context(), batch(rs...)))
	}
	require.Equal(t, len(rs), rows(t, dsn))
}
