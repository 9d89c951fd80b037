package query

import (
	"slices"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Matches reports whether f matches r, exactly as the SQL of exporter/postgres does: ids and types are looked for as records
// hold them, and metadata is compared as Postgres compares jsonb, see [Filter.Metadata]. A filter that [Filter.Validate]
// refuses matches nothing. r is one that a Recorder or ParseRecord made.
//
// [Scan] makes f ready once and not for each record.
func (f Filter) Matches(r *otelaudit.Record) bool {
	m, err := newMatcher(f)
	return err == nil && m.matches(r)
}

// matcher is a Filter made ready for many records.
type matcher struct {
	Filter            // ids and types as records hold them: what was too long or had control characters is found all the same
	below    string   // what the action begins with, where Action asks for a prefix
	contains []wanted // Metadata
}

func newMatcher(f Filter) (*matcher, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	m := &matcher{Filter: f}
	m.Actor.ID = otelaudit.StorableID(f.Actor.ID)
	m.Target.Type = otelaudit.StorableType(f.Target.Type)
	m.Target.ID = otelaudit.StorableID(f.Target.ID)
	m.Tenant = otelaudit.StorableID(f.Tenant)
	m.Operation = otelaudit.StorableID(f.Operation)
	if prefix, ok := actionPrefix(f.Action); ok {
		m.Action, m.below = "", prefix
	} else {
		m.Action = otelaudit.StorableType(f.Action)
	}
	for _, kv := range f.Metadata {
		w, err := want(kv)
		if err != nil {
			return nil, err
		}
		m.contains = append(m.contains, w)
	}
	return m, nil
}

// actionPrefix returns "invoice." for "invoice.*", and false for an action without a star.
func actionPrefix(action string) (string, bool) {
	if strings.HasSuffix(action, ".*") {
		return strings.TrimSuffix(action, "*"), true
	}
	return "", false
}

// matches has what costs most last.
func (m *matcher) matches(r *otelaudit.Record) bool {
	return is(m.Tenant, r.Tenant) &&
		is(m.Target.Type, r.Target.Type) && is(m.Target.ID, r.Target.ID) &&
		is(m.Action, r.Action) && strings.HasPrefix(r.Action, m.below) &&
		is(m.Operation, r.Operation) &&
		(len(m.Outcomes) == 0 || slices.Contains(m.Outcomes, r.Outcome)) &&
		(!m.TraceID.IsValid() || r.TraceID == m.TraceID) &&
		(m.From.IsZero() || !r.Time.Before(m.From)) &&
		(m.To.IsZero() || r.Time.Before(m.To)) &&
		m.matchesActor(&r.Actor) &&
		m.matchesMetadata(r.Metadata)
}

func is(want, have string) bool { return want == "" || want == have }

func (m *matcher) matchesActor(a *otelaudit.Actor) bool {
	if m.Actor.IsZero() || m.is(a) {
		return true
	}
	for a = a.OnBehalfOf; m.InChain && a != nil; a = a.OnBehalfOf {
		if m.is(a) {
			return true
		}
	}
	return false
}

// is reports whether a is the filter's actor. Nobody has no id, neither here nor there.
func (m *matcher) is(a *otelaudit.Actor) bool {
	return a.ID == m.Actor.ID && is(string(m.Actor.Type), string(a.Type))
}
