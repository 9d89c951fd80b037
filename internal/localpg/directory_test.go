package localpg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewDir(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	for name, test := range map[string]struct {
		machine machine
		durable bool
		want    string
	}{
		"as told":                {machine{temp: "/t", memory: disk, disk: disk}, false, "/t"},
		"as told, durable":       {machine{temp: "/t", memory: disk, disk: disk}, true, "/t"},
		"durable":                {machine{memory: "/m", disk: disk}, true, disk},
		"no disk":                {machine{disk: disk + "/missing"}, true, os.TempDir()},    //nolint:usetesting // what it is to say
		"no memory":              {machine{memory: disk + "/missing"}, false, os.TempDir()}, //nolint:usetesting // what it is to say
		"too long for a socket":  {machine{temp: "/" + strings.Repeat("t", 80)}, false, "/tmp"},
		"needs quoting in a URL": {machine{temp: "/a&b"}, false, "/tmp"},
		"a list to Postgres":     {machine{temp: "/a,b"}, false, "/tmp"},
		"relative":               {machine{temp: "t"}, false, "/tmp"},
	} {
		dir := test.machine.newDir(test.durable)
		require.Equal(t, filepath.Clean(test.want), filepath.Dir(dir), name)
		require.NoDirExists(t, dir)
		require.NotEqual(t, dir, test.machine.newDir(test.durable), name)
	}
}
