package otelaudit

import (
	"fmt"
	"strings"
	"time"
)

// Policy is what a service decides about its activities as a whole. What a policy leaves out is never silent: the receipt
// says so, it is counted, and the trail records the policy when it opens.
type Policy struct {
	// Ignore lists actions that are not recorded: exact ("invoice.read"), or all below a prefix ("health.*").
	Ignore []string
	// Disabled records nothing at all.
	Disabled bool
	// RequireActor refuses an activity without an actor (ErrInvalid). Anonymous is an actor; unknown is none.
	RequireActor bool
	// RequireTenant refuses an activity without a tenant (ErrInvalid).
	RequireTenant bool
	// Classify gives the outcome for an activity's Err. Defaults to Denied for ErrDenied, else Failure. It is called
	// concurrently, and only with errors.
	Classify func(error) Outcome
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (p Policy) validate() error {
	for _, pattern := range p.Ignore {
		stem := strings.TrimSuffix(pattern, ".*")
		if stem == "" || strings.Contains(stem, "*") {
			return fmt.Errorf("otelaudit: Policy.Ignore: %q is neither an action nor a prefix like \"health.*\"; to record nothing, set Disabled", pattern)
		}
	}
	return nil
}

// ignoring is Policy.Ignore made quick to ask.
type ignoring struct {
	exact    map[string]struct{}
	prefixes []string // each ends with a dot
}

func newIgnoring(patterns []string) ignoring {
	g := ignoring{exact: make(map[string]struct{}, len(patterns))}
	for _, pattern := range patterns {
		if stem, ok := strings.CutSuffix(pattern, "*"); ok {
			g.prefixes = append(g.prefixes, stem)
		} else {
			g.exact[pattern] = struct{}{}
		}
	}
	return g
}

func (g ignoring) matches(action string) bool {
	if len(g.exact) > 0 {
		if _, ok := g.exact[action]; ok {
			return true
		}
	}
	for _, prefix := range g.prefixes {
		if strings.HasPrefix(action, prefix) {
			return true
		}
	}
	return false
}
