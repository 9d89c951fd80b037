package stdout_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
)

func TestWantsColour(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		term, noColor string
		want          bool
	}{
		{"xterm-256color", "", true},
		{"xterm", "1", false},
		{"xterm", "0", false}, // set to anything
		{"dumb", "", false},
		{"", "", false},
	} {
		getenv := func(name string) string { return map[string]string{"TERM": test.term, "NO_COLOR": test.noColor}[name] }
		require.Equalf(t, test.want, stdout.WantsColour(getenv), "%+v", test)
	}
}

func TestAFileHasNoColour(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	path := filepath.Join(t.TempDir(), "console")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, stdout.NewConsole(f).Export(t.Context(), recorded(t, story()...)))
	require.NoError(t, f.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "invoice.update")
	requireHarmless(t, string(text))
}
