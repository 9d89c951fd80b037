package localpg

import "errors"

// ErrNotInstalled is returned by [Start] when OTELAUDIT_POSTGRES_URL is not set and Postgres's server programs are
// nowhere to be found. Install them, or name a server that runs; trying again does not help.
var ErrNotInstalled = errors.New("localpg: Postgres is not installed: run internal/localpg/install.sh, " +
	"or install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; " +
	"macOS: brew install postgresql), or set OTELAUDIT_POSTGRES_URL to a server that runs")
