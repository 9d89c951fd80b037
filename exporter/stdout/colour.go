package stdout

import (
	"io"
	"os"

	"golang.org/x/term"
)

// style is an SGR escape sequence: how a piece of text looks on a terminal.
type style string

const (
	plain  style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	cyan   style = "\x1b[36m"
	alarm  style = "\x1b[1;31m"

	reset = "\x1b[0m"
)

// hasColour reports whether w is a terminal that wants colours.
func hasColour(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && wantsColour(os.Getenv) && term.IsTerminal(int(f.Fd()))
}

// wantsColour reports whether the environment has nothing against colours: see no-color.org. A terminal without a name is
// taken for a dumb one.
func wantsColour(getenv func(string) string) bool {
	name := getenv("TERM")
	return getenv("NO_COLOR") == "" && name != "" && name != "dumb"
}
