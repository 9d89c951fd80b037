//go:build unix

package torture

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutation takes one precaution out of the production code.
type mutation struct {
	file     string  // from the root of the module
	old, new string  // old is there exactly once
	notice   []suite // what must fail
	also     []suite // in the long form, too
}

// suite is tests that must fail with a mutation, and pass without.
type suite struct {
	pkg, run string
	times    string // how often they run, at most: chance has a part in what a crash meets
}

var (
	crashes     = suite{"./trail/journal", "^TestCrash", "10"}
	forgeries   = suite{"./internal/torture", "^TestACommitVouchesForItsRecords$", "1"}
	redelivery  = suite{"./exporter/postgres", "^TestRedeliveryIsOneRow$", "1"}
	kills       = suite{"./internal/torture", "^TestKilled$", "3"}
	connections = suite{"./internal/torture", "^TestPostgresFails$", "1"}
)

var mutations = map[string]mutation{
	"no fsync of a group": {
		"trail/journal/writer.go",
		"if err := a.file.Sync(); err != nil {",
		"if err := error(nil); err != nil {",
		[]suite{crashes},
		[]suite{kills},
	},
	"no fsync of a new segment": {
		"trail/journal/roll.go",
		"if err := f.Sync(); err != nil {",
		"if err := error(nil); err != nil {",
		[]suite{crashes},
		nil, // the fsync of the next group would hide it: a kill comes between them too rarely
	},
	"no fsync of the directory": {
		"trail/journal/roll.go",
		"return j.fs.SyncDir(j.dir)",
		"return nil",
		[]suite{crashes},
		nil,
	},
	"no CRC of the commit": {
		"trail/journal/scan.go",
		"return int64(off-start) == c.bytes && sum == c.sum",
		"return int64(off-start) == c.bytes",
		[]suite{forgeries},
		nil,
	},
	"a CRC over CRCs, which is the same whatever the records are": {
		"trail/journal/commit.go",
		"frameHead[:frameSumAt]",
		"frameHead[:frameHeaderSize]",
		nil,
		[]suite{forgeries},
	},
	"a commit's word is taken, whatever became of its group": {
		"trail/journal/scan.go",
		"case s.mutation == trustCommits && len(s.run) > 0:",
		"case len(s.run) > 0:",
		[]suite{crashes},
		nil,
	},
	"the supersede mark is not obeyed": {
		"trail/journal/resolve.go",
		"h.supersedes != 0 && r.mutation",
		"h.supersedes == math.MaxUint64 && r.mutation",
		[]suite{crashes},
		nil,
	},
	"a reader ahead of the fsync": {
		"trail/journal/writer.go",
		"if j.config.mutation == publishUnsynced && e.count > 0 {",
		"if e.count > 0 {",
		[]suite{crashes},
		nil,
	},
	"the cursor before the sink's answer": {
		"trail/deliverer.go",
		"err := blame(d.export(running, &d.attempt, &d.batch), &d.batch)",
		"_ = d.reader.Commit(d.items.seqs[to-1])\n\terr := blame(d.export(running, &d.attempt, &d.batch), &d.batch)",
		nil,
		[]suite{kills},
	},
	"nobody waits for the dead letters": {
		"trail/deadletter.go",
		"_, err := l.journal.Append(context.Background(), entries...)\n",
		"var err error\n\tgo func(j *journal.Journal) { _, _ = j.Append(context.Background(), entries...) }(l.journal)\n",
		nil,
		[]suite{kills},
	},
	"a row that is there is not looked for": {
		"exporter/postgres/classify.go",
		"func isKeyTaken(err error) bool { return hasCode(err, uniqueViolation) }",
		"func isKeyTaken(err error) bool { return err == nil && hasCode(err, uniqueViolation) }",
		[]suite{redelivery},
		[]suite{kills},
	},
	"no primary key": {
		"exporter/postgres/migrations/0001_activity.sql",
		"PRIMARY KEY (time, id)",
		"PRIMARY KEY (time, id, stored_at)",
		nil,
		[]suite{redelivery, kills, connections},
	},
}

// With any one precaution taken out, the tests that are to notice do. The tree is not written: go test -overlay has the compiler
// see the mutated file.
func TestMutationsAreNoticed(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	controls := controls{root: root, results: map[string]*control{}}
	for name, m := range mutations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overlay := m.overlay(t, root) // also where the short form has no suite for it
			suites := m.notice
			if long() {
				suites = slices.Concat(suites, m.also)
			}
			for _, s := range suites {
				controls.require(t, s)
				output, passed := s.test(t, root, "-overlay="+overlay)
				require.False(t, passed, "%s in %s: nothing failed", s.run, s.pkg)
				require.Contains(t, output, "--- FAIL: ", "%s in %s did not fail as tests do", s.run, s.pkg)
				totals.noticed()
			}
		})
	}
}

// overlay writes the mutated file and the list that go test wants, away from the tree.
func (m *mutation) overlay(t *testing.T, root string) string {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(m.file))
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), m.old), "%s must have this exactly once, or the mutation is to be adapted: %s", m.file, m.old)
	dir := t.TempDir()
	mutant := filepath.Join(dir, "mutant"+filepath.Ext(path))
	require.NoError(t, os.WriteFile(mutant, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, list, 0o600))
	return overlay
}

// toolchain lets one go test at a time run: they would share the cores anyway.
var toolchain sync.Mutex

// test runs the suite in its short form, and reports whether it passed.
func (s *suite) test(t *testing.T, root string, flags ...string) (output string, passed bool) {
	t.Helper()
	toolchain.Lock()
	defer toolchain.Unlock()
	args := []string{"test", "-vet=off", "-failfast", "-count=" + s.times, "-run=" + s.run}
	if raceDetector && s.pkg != crashes.pkg { // what is compiled for us serves it; the journal alone compiles in no time
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(append(args, flags...), s.pkg)...)
	cmd.Dir = root
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OTELAUDIT_TORTURE=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	b, err := cmd.CombinedOutput()
	t.Logf("%s in %s %s: %v\n%s", s.run, s.pkg, flags, err, excerpt(string(b)))
	return string(b), err == nil
}

// excerpt is the beginning of the first failure.
func excerpt(output string) string {
	const most = 1500
	if at := strings.Index(output, "--- FAIL: "); at > 0 {
		output = output[at:]
	}
	return output[:min(len(output), most)]
}

// controls are the suites without a mutation, each run once.
type controls struct {
	root    string
	mu      sync.Mutex // guards results
	results map[string]*control
}

type control struct {
	once   sync.Once
	passed bool
}

func (c *controls) require(t *testing.T, s suite) {
	t.Helper()
	c.mu.Lock()
	r := c.results[s.pkg+s.run]
	if r == nil {
		r = &control{}
		c.results[s.pkg+s.run] = r
	}
	c.mu.Unlock()
	r.once.Do(func() { _, r.passed = s.test(t, c.root) })
	require.True(t, r.passed, "%s in %s fails without a mutation", s.run, s.pkg)
}
