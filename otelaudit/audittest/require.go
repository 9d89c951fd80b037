package audittest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Require ends the test unless there is a record of action that has all that matches ask for, and returns a copy of the
// first one. The failure says what was recorded of that action and in which facts it differs. Call it from the goroutine
// that runs the test.
func (tr *Trail) Require(action string, matches ...Match) *otelaudit.Record {
	tr.tb.Helper()
	records := tr.Records()
	var failures []string
	for _, r := range records {
		if r.Action != action {
			continue
		}
		differences := differences(r, matches)
		if len(differences) == 0 {
			return r
		}
		failures = append(failures, describe(r, differences))
	}
	if len(failures) == 0 {
		tr.tb.Fatalf("audittest: no %q was recorded; %s", action, tr.recorded(records))
		return nil
	}
	tr.tb.Fatalf("audittest: no %q is as required; %s:\n%s", action, counted(len(failures)), numbered(failures))
	return nil
}

// RequireNone ends the test if there is a record of action that has all that matches ask for.
func (tr *Trail) RequireNone(action string, matches ...Match) {
	tr.tb.Helper()
	var found []string
	for _, r := range tr.Records() {
		if r.Action == action && len(differences(r, matches)) == 0 {
			found = append(found, describe(r, nil))
		}
	}
	if len(found) > 0 {
		tr.tb.Fatalf("audittest: %q must not be recorded; %s:\n%s", action, counted(len(found)), numbered(found))
	}
}

func differences(r *otelaudit.Record, matches []Match) []difference {
	var all []difference
	for _, m := range matches {
		if d, differs := m.differ(r); differs {
			all = append(all, d)
		}
	}
	return all
}

// describe says who did it to what, and in what that differs.
func describe(r *otelaudit.Record, differences []difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "by %s, target %s, %s", describeActor(&r.Actor, nil, nil), describeTarget(r.Target), r.Outcome)
	for _, d := range differences {
		fmt.Fprintf(&b, "\n     %s:\n       want %s\n       got  %s", d.fact, d.want, d.got)
	}
	return b.String()
}

// shownAtMost is how many records a failure lists.
const shownAtMost = 10

func numbered(items []string) string {
	var b strings.Builder
	for i, item := range items {
		if i == shownAtMost {
			fmt.Fprintf(&b, "  … and %d more\n", len(items)-i)
			break
		}
		fmt.Fprintf(&b, "  %d. %s\n", i+1, item)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func counted(n int) string {
	if n == 1 {
		return "1 was recorded"
	}
	return fmt.Sprintf("%d were recorded", n)
}

// recorded says which actions there are, for who looked for another.
func (tr *Trail) recorded(records []*otelaudit.Record) string {
	tr.mu.Lock()
	ignored := slices.Clone(tr.ignored)
	tr.mu.Unlock()
	actions := make([]string, len(records))
	for i, r := range records {
		actions[i] = r.Action
	}
	said := "nothing was recorded"
	if len(actions) > 0 {
		said = "recorded were " + tally(actions)
	}
	if len(ignored) > 0 {
		said += "; the policy ignored " + tally(ignored)
	}
	return said
}

// tally counts equal items, in the order of their first appearance.
func tally(items []string) string {
	counts := map[string]int{}
	var order []string
	for _, item := range items {
		if counts[item]++; counts[item] == 1 {
			order = append(order, item)
		}
	}
	for i, item := range order {
		if n := counts[item]; n > 1 {
			order[i] = fmt.Sprintf("%s (%d times)", item, n)
		}
	}
	return strings.Join(order, ", ")
}
