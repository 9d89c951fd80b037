//go:build unix

package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// detach takes cmd off our terminal, so that Ctrl-C does not reach Postgres before the tests that use it have ended,
// and off root, as which Postgres refuses to run.
func detach(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			cmd.SysProcAttr.Credential, err = credential(u)
			return err
		}
	}
	return errors.New("root may not run Postgres, and neither postgres nor nobody is a user here: " +
		"run this as another user, or add one (useradd --system postgres)")
}

// credential is u without supplementary groups.
func credential(u *user.User) (*syscall.Credential, error) {
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, fmt.Errorf("run Postgres as %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
