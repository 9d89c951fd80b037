package localpg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const pollInterval = 10 * time.Millisecond // a private cluster takes most of a second to start

// awaitConnect waits until the server takes connections, and returns its version; until it has ended; or until ctx is
// done.
func (c *cluster) awaitConnect(ctx context.Context, url string) (version int, err error) {
	for {
		err := errors.New("the former one is still ending")
		if !c.crashing() {
			version, err = serverVersion(ctx, url)
		}
		if err == nil {
			return version, nil
		}
		select {
		case <-time.After(pollInterval):
		case <-c.ended:
			if c.err == nil {
				return 0, errors.New("it was stopped")
			}
			return 0, fmt.Errorf("it ended: %w", c.err)
		case <-ctx.Done():
			return 0, fmt.Errorf("it does not take connections: %w: %w", ctx.Err(), err)
		}
	}
}

// serverVersion connects once, and returns the server's major version.
func serverVersion(ctx context.Context, url string) (int, error) {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	// "15.18 (Debian 15.18-0+deb12u1)", "18beta1"
	version := conn.ParameterStatus("server_version")
	end := strings.IndexFunc(version+".", func(r rune) bool { return r < '0' || r > '9' })
	major, _ := strconv.Atoi(version[:end]) // 0, which is older than any, when it is something else
	return major, conn.Close(ctx)
}
