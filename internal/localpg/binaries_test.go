package localpg

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// server makes dir look like a directory of Postgres's server programs.
func server(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, program := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), nil, 0o755))
	}
	return dir
}

func TestBinariesNotInstalled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server(t, filepath.Join(dir, "14", "bin"), "initdb") // a client's package, say
	server(t, filepath.Join(dir, "path"), "postgres")
	m := machine{path: filepath.Join(dir, "path"), globs: []string{filepath.Join(dir, "*", "bin")}}

	_, err := m.start(t.Context(), Config{})
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "apt-get install postgresql")
	require.ErrorContains(t, err, "OTELAUDIT_POSTGRES_URL")
}

func TestBinaries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	onPath := server(t, filepath.Join(dir, "path"), "initdb", "postgres")
	configured := server(t, filepath.Join(dir, "configured"), "initdb", "postgres")
	server(t, filepath.Join(dir, "usual", "9.6", "bin"), "initdb", "postgres")
	server(t, filepath.Join(dir, "usual", "17", "bin"), "initdb", "postgres")
	newest := server(t, filepath.Join(dir, "other", "18", "bin"), "initdb", "postgres")
	server(t, filepath.Join(dir, "other", "19", "bin"), "postgres")
	globs := []string{filepath.Join(dir, "usual", "*", "bin"), filepath.Join(dir, "other", "*", "bin")}

	// Written by another process: Linux runs no file that a child of ours may still have open for writing.
	pgConfig := filepath.Join(dir, "tools", "pg_config")
	write := exec.CommandContext(t.Context(), "/bin/sh", "-c",
		`mkdir "${1%/*}" && printf '#!/bin/sh\necho "%s"\n' "$2" >"$1" && chmod +x "$1"`, "sh", pgConfig, configured)
	require.NoError(t, write.Run())

	tools := filepath.Dir(pgConfig)
	for name, test := range map[string]struct {
		machine machine
		want    string
	}{
		"on the path":   {machine{path: tools + ":" + onPath, globs: globs}, onPath},
		"by pg_config":  {machine{path: ":" + tools, globs: globs}, configured},
		"usual, newest": {machine{path: dir, globs: globs}, newest},
	} {
		got, err := test.machine.binaries(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, test.want, got, name)
	}
}

func TestMajorVersion(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{
		"/usr/lib/postgresql/15/bin":           15,
		"/usr/lib/postgresql/9.6/bin":          9,
		"/usr/pgsql-17/bin":                    17,
		"/usr/libexec/postgresql16":            16,
		"/opt/homebrew/opt/postgresql@18/bin":  18,
		"/opt/homebrew/opt/postgresql/bin":     0,
		"/srv/1/postgresql/bin":                0,
		"/v/99999999999999999999999999999/bin": int(^uint(0) >> 1),
	} {
		require.Equal(t, want, majorVersion(dir), dir)
	}
}
