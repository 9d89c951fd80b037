//go:build !unix

package localpg

import (
	"errors"
	"os/exec"
)

func detach(*exec.Cmd) error {
	return errors.New("a private Postgres needs Unix: set OTELAUDIT_POSTGRES_URL to a server that runs")
}
