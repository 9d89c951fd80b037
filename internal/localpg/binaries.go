package localpg

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries returns a directory that holds Postgres's server programs: on the path, where a pg_config on the path
// says, or in a usual place, the newest version first. Its error is ErrNotInstalled.
func (m machine) binaries(ctx context.Context) (string, error) {
	path := filepath.SplitList(m.path)
	for _, dir := range path {
		if hasServer(dir) {
			return dir, nil
		}
	}

	for _, dir := range path {
		if program := filepath.Join(dir, "pg_config"); isProgram(program) {
			// One that fails says as little as one that is not there.
			out, _ := exec.CommandContext(ctx, program, "--bindir").Output()
			if bindir := strings.TrimSpace(string(out)); hasServer(bindir) {
				return bindir, nil
			}
		}
	}

	var usual []string
	for _, glob := range m.globs {
		dirs, _ := filepath.Glob(glob) // fails on malformed patterns only
		usual = append(usual, dirs...)
	}
	slices.SortStableFunc(usual, func(a, b string) int { return cmp.Compare(majorVersion(b), majorVersion(a)) })
	for _, dir := range usual {
		if hasServer(dir) {
			return dir, nil
		}
	}
	return "", ErrNotInstalled
}

// hasServer reports whether initdb and postgres are both in dir: initdb insists on the postgres beside it.
func hasServer(dir string) bool {
	return filepath.IsAbs(dir) && isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres"))
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var versionInPath = regexp.MustCompile(`(\d+)(\.\d+)?(/bin)?$`)

// majorVersion is the version that a directory is named for, and 0 if it has none.
func majorVersion(dir string) int {
	if match := versionInPath.FindStringSubmatch(dir); match != nil {
		version, _ := strconv.Atoi(match[1]) // digits: at worst too many of them
		return version
	}
	return 0
}
