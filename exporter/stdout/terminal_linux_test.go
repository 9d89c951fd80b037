package stdout_test

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
)

// openTerminal returns the two ends of a pseudo-terminal: what a person sees, and what the program writes to.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { screen.Close() })
	var unlock, number int32
	ioctl := func(request uintptr, arg *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(arg)))
		require.Zero(t, errno)
	}
	ioctl(syscall.TIOCSPTLCK, &unlock)
	ioctl(syscall.TIOCGPTN, &number)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

func TestATerminalHasColour(t *testing.T) {
	for name, test := range map[string]struct{ term, noColor, want string }{
		"colour":   {"xterm", "", "\x1b[2m2026-05-04 UTC\x1b[0m\r\n"},
		"no color": {"xterm", "1", "2026-05-04 UTC\r\n"},
		"dumb":     {"dumb", "", "2026-05-04 UTC\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", test.term)
			t.Setenv("NO_COLOR", test.noColor)
			screen, tty := openTerminal(t)
			require.NoError(t, stdout.NewConsole(tty).Export(t.Context(), recorded(t, story()[:1]...)))
			line, err := bufio.NewReader(screen).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, test.want, line)
		})
	}
}
