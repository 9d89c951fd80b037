package audittest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Match is one fact that [Trail.Require] asks of a record.
type Match interface {
	// differ returns what r has instead, or nothing where it has the fact.
	differ(r *otelaudit.Record) (difference, bool)
}

// difference is a fact that a record lacks.
type difference struct{ fact, want, got string }

type match func(r *otelaudit.Record) (difference, bool)

func (m match) differ(r *otelaudit.Record) (difference, bool) { return m(r) }

// text is the match of a fact that is one string.
func text(fact, want string, of func(*otelaudit.Record) string) Match {
	return match(func(r *otelaudit.Record) (difference, bool) {
		got := of(r)
		return difference{fact, quoted(want), quoted(got)}, got != want
	})
}

// Actor asks for the actor with want's type and id, who acts on behalf of whom want acts: an actor that acts for somebody is
// not the same as one that acts for itself. Name, roles, tenant, session, authentication method and trust count where want
// has them.
func Actor(want otelaudit.Actor) Match {
	if r := asRecorded(otelaudit.Activity{Actor: want}); r != nil {
		want = r.Actor
	}
	return match(func(r *otelaudit.Record) (difference, bool) {
		w, g := &want, &r.Actor
		for w != nil && g != nil && len(unlike(w, g)) == 0 && w.Type == g.Type && w.ID == g.ID {
			w, g = w.OnBehalfOf, g.OnBehalfOf
		}
		return difference{"actor", describeActor(&want, &want, &r.Actor), describeActor(&r.Actor, &want, &r.Actor)}, w != nil || g != nil
	})
}

// actorFact is something that a test may leave open.
type actorFact struct {
	name string
	of   func(*otelaudit.Actor) string
}

// unlike returns the facts in which got is not what want says.
func unlike(want, got *otelaudit.Actor) []actorFact {
	var facts []actorFact
	for _, f := range actorFacts {
		if w := f.of(want); w != "" && w != f.of(got) {
			facts = append(facts, f)
		}
	}
	return facts
}

var actorFacts = []actorFact{
	{"name", func(a *otelaudit.Actor) string { return a.Name }},
	{"roles", func(a *otelaudit.Actor) string { return strings.Join(a.Roles, ", ") }},
	{"tenant", func(a *otelaudit.Actor) string { return a.Tenant }},
	{"session", func(a *otelaudit.Actor) string { return a.Session }},
	{"authenticated by", func(a *otelaudit.Actor) string { return a.AuthMethod }},
	{"trust", func(a *otelaudit.Actor) string {
		if a.Trust == otelaudit.TrustDeclared {
			return ""
		}
		return a.Trust.String()
	}},
}

// Target asks for the target with this type and id.
func Target(typ, id string) Match {
	want := otelaudit.Target{Type: typ, ID: id}
	if r := asRecorded(otelaudit.Activity{Target: want}); r != nil {
		want = r.Target
	}
	return match(func(r *otelaudit.Record) (difference, bool) {
		return difference{"target", describeTarget(want), describeTarget(r.Target)}, r.Target.Type != want.Type || r.Target.ID != want.ID
	})
}

// Related asks for a related target with this type and id.
func Related(typ, id string) Match {
	want := otelaudit.Target{Type: typ, ID: id}
	if r := asRecorded(otelaudit.Activity{Related: []otelaudit.Target{want}}); r != nil {
		want = r.Related[0]
	}
	return match(func(r *otelaudit.Record) (difference, bool) {
		got := make([]string, len(r.Related))
		for i, t := range r.Related {
			if t.Type == want.Type && t.ID == want.ID {
				return difference{}, false
			}
			got[i] = describeTarget(t)
		}
		return difference{"related", describeTarget(want), list(got)}, true
	})
}

// Outcome asks for this outcome.
func Outcome(want otelaudit.Outcome) Match {
	return text("outcome", string(want), func(r *otelaudit.Record) string { return string(r.Outcome) })
}

// ErrorType asks for this error.type; empty for none.
func ErrorType(want string) Match {
	return text("error type", want, func(r *otelaudit.Record) string { return r.ErrorType })
}

// Reason asks for this reason; empty for none.
func Reason(want string) Match {
	if r := asRecorded(otelaudit.Activity{Reason: want}); r != nil {
		want = r.Reason
	}
	return text("reason", want, func(r *otelaudit.Record) string { return r.Reason })
}

// Tenant asks for this tenant; empty for none.
func Tenant(want string) Match {
	if r := asRecorded(otelaudit.Activity{Tenant: want}); r != nil {
		want = r.Tenant
	}
	return text("tenant", want, func(r *otelaudit.Record) string { return r.Tenant })
}

// Operation asks for this operation; empty for none.
func Operation(want string) Match {
	return text("operation", want, func(r *otelaudit.Record) string { return r.Operation })
}

// Change asks for a change of field from old to now. Both are [attribute.Value]s, or values of the service's own, which are
// compared as [otelaudit.Diff] records them: numbers, texts, times, Stringers, lists, maps, structs. nil is no value, and a
// sensitive field's values are [otelaudit.Redacted].
func Change(field string, old, now any) Match {
	want := otelaudit.Change{Field: field, Old: asValue(old), New: asValue(now)}
	if r := asRecorded(otelaudit.Activity{Changes: otelaudit.Changes{want}}); r != nil {
		want = r.Changes[0]
	}
	return match(func(r *otelaudit.Record) (difference, bool) {
		var others []string
		for _, ch := range r.Changes {
			if ch.Field == want.Field {
				same := sameValue(ch.Old, want.Old) && sameValue(ch.New, want.New)
				return difference{"change of " + field, describeChange(want), describeChange(ch)}, !same
			}
			others = append(others, ch.Field)
		}
		got := "no change"
		if len(others) > 0 {
			got = "no change of it, but of " + strings.Join(others, ", ")
		}
		return difference{"change of " + field, describeChange(want), got}, true
	})
}

// Metadata asks for each of these attributes. They may also be facts of the request, such as http.route.
func Metadata(want ...attribute.KeyValue) Match {
	return match(func(r *otelaudit.Record) (difference, bool) {
		recorded := map[attribute.Key]attribute.Value{}
		for _, kv := range r.AppendAttributes(nil) {
			recorded[kv.Key] = kv.Value
		}
		var wanted, got []string
		for _, kv := range want {
			v, ok := recorded[kv.Key]
			if ok && sameValue(v, kv.Value) {
				continue
			}
			wanted = append(wanted, string(kv.Key)+"="+describeValue(kv.Value))
			if ok {
				got = append(got, string(kv.Key)+"="+describeValue(v))
			} else {
				got = append(got, "no "+string(kv.Key))
			}
		}
		return difference{"metadata", list(wanted), list(got)}, len(wanted) > 0
	})
}

// asRecorded is the record of a under no policy: what a test names is stored as what the service names. It is nil where a
// cannot be recorded.
func asRecorded(a otelaudit.Activity) *otelaudit.Record {
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	if err != nil {
		return nil
	}
	a.Action = "test"
	var r otelaudit.Record
	if _, err := recorder.Record(context.Background(), &a, &r); err != nil {
		return nil
	}
	return &r
}

// asValue is v as Diff would give it.
func asValue(v any) attribute.Value {
	if value, ok := v.(attribute.Value); ok {
		return value
	}
	const field = "value"
	changes, err := otelaudit.Fields{Track: []string{field}}.Diff(nil, map[string]any{field: v})
	if err != nil || len(changes) == 0 {
		return attribute.Value{}
	}
	return changes[0].New
}

// sameValue reports whether two values are recorded alike: it leaves the comparison to Record.SameActivity.
func sameValue(a, b attribute.Value) bool {
	holder := func(v attribute.Value) *otelaudit.Record {
		return &otelaudit.Record{Metadata: []attribute.KeyValue{{Key: "value", Value: v}}}
	}
	return holder(a).SameActivity(holder(b))
}

// describeActor is shown, one of want and got and of those behind it, with what else they differ in.
func describeActor(shown, want, got *otelaudit.Actor) string {
	var b strings.Builder
	for {
		b.WriteString(string(shown.Type))
		if shown.ID != "" {
			b.WriteString(" " + strconv.Quote(shown.ID))
		}
		if want != nil && got != nil {
			for _, f := range unlike(want, got) {
				fmt.Fprintf(&b, ", %s %s", f.name, quoted(f.of(shown)))
			}
			want, got = want.OnBehalfOf, got.OnBehalfOf
		}
		if shown = shown.OnBehalfOf; shown == nil {
			return b.String()
		}
		b.WriteString(" on behalf of ")
	}
}

func describeTarget(t otelaudit.Target) string {
	if t == (otelaudit.Target{}) {
		return "none"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %q", t.Type, t.ID))
}

func describeChange(ch otelaudit.Change) string {
	return describeValue(ch.Old) + " → " + describeValue(ch.New)
}

// describeValue tells 1 from "1" and from 1.0.
func describeValue(v attribute.Value) string {
	switch v.Type() {
	case attribute.EMPTY:
		return "nothing"
	case attribute.STRING:
		return strconv.Quote(v.AsString())
	case attribute.FLOAT64:
		return "float " + v.String()
	case attribute.BYTESLICE:
		return "bytes " + v.String()
	default:
		return v.String()
	}
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(s)
}

func list(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}
