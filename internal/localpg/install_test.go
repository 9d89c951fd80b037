package localpg

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInstallLooksWhereStartDoes(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("install.sh")
	require.NoError(t, err)
	for _, glob := range thisMachine().globs {
		require.Contains(t, string(script), "\t\t"+glob)
	}
}

func TestInstallLeavesANamedServerAlone(t *testing.T) {
	t.Parallel()
	install := exec.CommandContext(t.Context(), "./install.sh")
	install.Env = []string{"OTELAUDIT_POSTGRES_URL=postgres://db.example/"} // and no PATH
	out, err := install.CombinedOutput()
	require.NoError(t, err)
	require.Empty(t, out)
}
