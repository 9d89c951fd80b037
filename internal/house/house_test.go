package house

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/rj-gamer/go-activity-tracker"

const (
	otelSDK = "go.opentelemetry.io/otel/sdk"
	pgx     = "github.com/jackc/pgx"
)

// assertionPackages help only tests.
var assertionPackages = []string{"github.com/stretchr/testify", "go.uber.org/goleak", "pgregory.net/rapid"}

// budgets says what no package below may link, itself or through what it imports.
var budgets = []struct {
	pkg    string
	forbid []string
}{
	{"otelaudit", []string{otelSDK, pgx}},
	{"otelaudit/audithttp", []string{otelSDK, pgx}},
	{"otelaudit/audittest", []string{otelSDK, pgx}},
	{"propagation", []string{otelSDK, pgx}},
	{"query", []string{otelSDK, pgx}},
	{"integrity", []string{otelSDK, pgx}},
	{"trail", []string{pgx}},
	{"trail/journal", []string{"go.opentelemetry.io", pgx}},
	{"exporter/stdout", []string{pgx}},
	{"exporter/postgres", nil}, // the one that links pgx
}

// moduleBudgets is budgets for modules beside the root one, whose packages the linter alone would look at.
var moduleBudgets = map[string][]string{
	"contrib/auditgrpc": append([]string{otelSDK, pgx, "testing"}, assertionPackages...),
}

// mayTest lists the packages whose business is testing.
var mayTest = []string{module + "/otelaudit/audittest"}

func TestDependencyBudgets(t *testing.T) {
	t.Parallel()
	pkgs := load(t, ".")
	for dir, forbid := range moduleBudgets {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			linked := load(t, dir)
			require.Contains(t, ours(linked), module+"/"+dir, "a module with a budget is missing")
			for _, prefix := range forbid {
				requireUnlinked(t, linked, module+"/"+dir, prefix)
			}
		})
	}
	for _, b := range budgets {
		t.Run(b.pkg, func(t *testing.T) {
			t.Parallel()
			root := module + "/" + b.pkg
			require.Contains(t, ours(pkgs), root, "a package with a budget is missing")
			for _, prefix := range b.forbid {
				requireUnlinked(t, pkgs, root, prefix)
			}
		})
	}
}

func TestProductionPackagesLinkNoTestPackage(t *testing.T) {
	t.Parallel()
	pkgs := load(t, ".")
	for _, root := range ours(pkgs) {
		t.Run(strings.TrimPrefix(root, module+"/"), func(t *testing.T) {
			t.Parallel()
			for _, prefix := range assertionPackages {
				requireUnlinked(t, pkgs, root, prefix)
			}
			if !slices.Contains(mayTest, root) {
				requireUnlinked(t, pkgs, root, "testing")
			}
		})
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	pkgs := load(t, ".")
	var silent []string
	for _, path := range ours(pkgs) {
		if len(pkgs[path].GoFiles) > 0 && pkgs[path].Doc == "" { // a package of tests only needs no comment
			silent = append(silent, path)
		}
	}
	require.Empty(t, silent, "packages without a package comment")
}

// requireUnlinked fails with the shortest chain of imports from root to a package that prefix covers.
func requireUnlinked(t *testing.T, pkgs map[string]listed, root, prefix string) {
	t.Helper()
	if path := chain(pkgs, root, prefix); path != nil {
		require.Fail(t, root+" must not link "+prefix, "%s", strings.Join(path, "\n  imports "))
	}
}

// chain returns the shortest chain of imports from root to a package that prefix covers, or nil.
func chain(pkgs map[string]listed, root, prefix string) []string {
	from := map[string]string{root: ""}
	for queue := []string{root}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == prefix || strings.HasPrefix(at, prefix+"/") {
			var path []string
			for ; at != ""; at = from[at] {
				path = append(path, at)
			}
			slices.Reverse(path)
			return path
		}
		for _, next := range pkgs[at].Imports {
			if _, seen := from[next]; !seen {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func TestChain(t *testing.T) {
	t.Parallel()
	pkgs := map[string]listed{
		"a": {Imports: []string{"b", "c"}},
		"b": {Imports: []string{"c"}},
		"c": {Imports: []string{"x/sdk/log", "x/sdkless"}},
	}
	require.Equal(t, []string{"a", "c", "x/sdk/log"}, chain(pkgs, "a", "x/sdk"))
	require.Equal(t, []string{"a", "c", "x/sdkless"}, chain(pkgs, "a", "x/sdkless"))
	require.Nil(t, chain(pkgs, "a", "x/sd"))
	require.Nil(t, chain(pkgs, "b", "a"))
}

// listed is a package as `go list -json` describes it.
type listed struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
}

// ours returns the module's own packages, sorted.
func ours(pkgs map[string]listed) []string {
	var paths []string
	for path := range pkgs {
		if path == module || strings.HasPrefix(path, module+"/") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// load returns the packages of the module in dir and all they link, by import path.
func load(t *testing.T, dir string) map[string]listed {
	t.Helper()
	root := filepath.Join("..", "..")
	touch(t, root)

	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Doc,GoFiles,Imports", "./...")
	cmd.Dir = filepath.Join(root, dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)

	pkgs := map[string]listed{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		require.NoError(t, err)
		pkgs[p.ImportPath] = p
	}
}

// touch stats every source file: `go test` repeats a cached result until a file that the test itself looked
// at has changed, and does not see what `go list` looks at.
func touch(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return fs.SkipDir
		case filepath.Ext(path) == ".go", d.Name() == "go.mod":
			_, err = os.Stat(path)
			return err
		}
		return nil
	}))
}
