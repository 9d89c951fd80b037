package house_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// Every block of Go in the documents is a whole file that compiles within this module. Nothing is written into the tree: an
// overlay shows the files to the compiler.
func TestTheDocumentsCodeCompiles(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	documents = append(documents, filepath.Join(root, "README.md"))

	replaced := map[string]string{}
	var packages []string
	temporary := t.TempDir()
	for _, document := range documents {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for i, block := range goBlock.FindAllSubmatch(text, -1) {
			name := fmt.Sprintf("zz_%s_%d", filepath.Base(document), i)
			written := filepath.Join(temporary, name+".go")
			require.NoError(t, os.WriteFile(written, block[1], 0o600))
			replaced[filepath.Join(root, "internal", "house", name, "code.go")] = written
			packages = append(packages, "./internal/house/"+name)
		}
	}
	require.GreaterOrEqual(t, len(packages), 2, "the README and docs/track-failed.md have one each")

	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	overlayFile := filepath.Join(temporary, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))
	build := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", os.DevNull, "-overlay", overlayFile}, packages...)...)
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
