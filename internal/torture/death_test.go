//go:build unix

package torture

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// death is how one life ends.
type death struct {
	at    point // where it kills itself; empty: it is killed
	times int   // the how manieth time it comes there
	acks  int   // killed after so many acknowledgements; none: while its trail opens
}

// lineages are the deaths of processes that follow each other on one directory, for several directories.
func lineages(random *rand.Rand) [][]death {
	if !long() {
		return [][]death{
			deathsAt(random, "cursor.rename.before", "segment.sync.before", "cursor.write.after", exportBefore, deadLetterLate, "segment.rename.after",
				"dead-letters.sync.after", ""),
			deathsAt(random, "cursor.rename.after", "segment.sync.after", "cursor.sync.after", exportCommitting, "segment.write.torn",
				"dead-letters.sync.before", exportCommitted, "segment.remove.before", "directory.sync.before"),
		}
	}
	var ls [][]death
	for range 8 {
		points := allPoints()
		points = slices.DeleteFunc(points, isFirst)
		random.Shuffle(len(points), func(i, k int) { points[i], points[k] = points[k], points[i] })
		half := len(points) / 2
		for i, some := range [][]point{points[:half], points[half:]} {
			first := []point{"cursor.rename.before", "cursor.rename.after"}[i]
			l := deathsAt(random, append([]point{first}, some...)...)
			for range 6 { // and at random moments between them
				l = slices.Insert(l, 1+random.IntN(len(l)), deathsAt(random, "")...)
			}
			ls = append(ls, l)
		}
	}
	return ls
}

// isFirst reports whether only the first process in a directory comes to p.
func isFirst(p point) bool { return strings.HasPrefix(string(p), "cursor.rename.") }

// isRare reports whether a process comes to p once or twice.
func isRare(p point) bool {
	return isFirst(p) || strings.HasPrefix(string(p), "dead-letters.rename.") || strings.HasPrefix(string(p), "dead-letters-directory.")
}

// deathsAt are deaths at these points; an empty one is a random moment.
func deathsAt(random *rand.Rand, points ...point) (ds []death) {
	for _, p := range points {
		d := death{at: p, times: 1}
		switch {
		case p == "":
			d.acks = random.IntN(2000)
			if random.IntN(4) == 0 {
				d.acks = 0
			}
		case p == deadLetterLate:
			d.times = 2 // the first write may be the head of the file, for which everybody waits
		case !isRare(p):
			d.times += random.IntN(3)
		}
		ds = append(ds, d)
	}
	return ds
}

// enough is how many acknowledgements a process gets to come to its point. Then it must deliver all that, and end. A point to
// which it has not come by then does not exist for it.
const enough = 20000

// happens returns when the process is dying, or is to be killed. It reports whether it came to its point.
func (d death) happens(t *testing.T, p *process) bool {
	t.Helper()
	if d.at == "" {
		p.must(t, started, 1)
		if d.acks > 0 {
			p.must(t, acked, d.acks)
		}
		return false
	}
	if d.at == deadLetterLate { // while it hangs, nothing ends
		p.await(t, acked, 20*enough) // or it has died
	} else if _, lives := p.await(t, acked, enough); lives {
		_ = p.say(orderStop) // it may die meanwhile
		p.await(t, quiet, 1)
		_ = p.say(orderShutdown)
		p.await(t, shut, 1)
	}
	if p.count(dying) == 0 {
		require.Empty(t, p.said(refused).Text)
		return false
	}
	require.Equal(t, string(d.at), p.said(dying).Text)
	return true
}

// reached are the points that processes came to. The test fails at its end if they did not come to all they should.
type reached struct {
	mu     sync.Mutex // guards points
	points map[point]bool
}

func newReached(t *testing.T, lineages [][]death) *reached {
	t.Helper()
	r := &reached{points: map[point]bool{}}
	t.Cleanup(func() {
		for _, d := range slices.Concat(lineages...) {
			if !t.Failed() && d.at != "" && !r.points[d.at] {
				t.Errorf("no process came to the point %s", d.at) // require would end the report with the test
			}
		}
	})
	return r
}

func (r *reached) note(p point) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points[p] = true
}
