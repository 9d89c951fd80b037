package otelaudit

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Record is an activity as recorded: complete, storable, and the same at every exporter and in every query. A [Recorder]
// makes them; [Record.AppendAttributes] and [ParseRecord] take them to an OTel log record and back without loss.
//
// A record is not to be changed once it is made. Records that a trail hands to an exporter belong to the trail: an exporter
// that keeps one beyond its call keeps a [Record.Clone].
type Record struct {
	ID         ID
	Time       time.Time // when it happened: UTC, whole microseconds
	Observed   time.Time // when it was tracked: UTC, whole microseconds
	Action     string    // the event name, as in Activity
	Verb       string    // audit.action: the action's last part in upper case
	Actor      Actor     // Session is a hash; the chain is at most MaxChain long
	Target     Target
	Related    []Target
	Outcome    Outcome
	ErrorType  string
	Reason     string
	Changes    Changes              // sorted by field, each field once
	Metadata   []attribute.KeyValue // sorted by key, each key once
	Tenant     string
	Operation  string
	Request    Request
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	TraceFlags trace.TraceFlags
	Resource   attribute.Set // who recorded it: service.name and so on
	Sanitized  []Sanitization
}

// Sanitization says that a value was not storable as it came, and keeps what identifies the original.
type Sanitization struct {
	Field  string         // the attribute's key; of a value within a map or slice, the outermost
	Reason SanitizeReason // why
	Length int            // of the original, in bytes; of what was counted, the number
	SHA256 [32]byte       // of the original; zero where there is none to hash
}

// SanitizeReason is why a value was not storable as it came.
type SanitizeReason string

// The reasons, in the order in which they win where several apply.
const (
	ReasonTooLong   SanitizeReason = "too_long"     // cut to its limit
	ReasonEncoding  SanitizeReason = "encoding"     // not UTF-8: each run of wrong bytes became U+FFFD
	ReasonControl   SanitizeReason = "control"      // control or bidirectional formatting characters became U+FFFD
	ReasonReserved  SanitizeReason = "reserved"     // the key belongs to the record itself, or the id to nobody
	ReasonDuplicate SanitizeReason = "duplicate"    // the key was there twice: the last one stands
	ReasonNonFinite SanitizeReason = "non_finite"   // NaN or an infinity became a string
	ReasonTooDeep   SanitizeReason = "too_deep"     // nested deeper than MaxDepth: what lay below is gone
	ReasonTooMany   SanitizeReason = "too_many"     // more entries than the limit: the rest is gone
	ReasonTooLarge  SanitizeReason = "too_large"    // the record was larger than MaxRecordBytes: the value is gone
	ReasonForeignID SanitizeReason = "foreign_id"   // the record's id was no UUID: one was derived from it
	ReasonType      SanitizeReason = "wrong_type"   // the attribute's value had not the type that its key asks for
	ReasonRange     SanitizeReason = "out_of_range" // the value was outside what the field may hold
)

// SameActivity reports whether r and other record the same activity: event name, time, actor, target, related, outcome,
// reason, changes, metadata and tenant are equal. Observed time, trace, request and resource may differ, as they do when an
// activity is tracked again. Metadata that overrides a fact of the request, such as http.route, is that fact, and may differ
// like the rest of the request.
func (r *Record) SameActivity(other *Record) bool {
	return r.Action == other.Action && r.Time.Equal(other.Time) && r.Actor.equal(&other.Actor) && r.Target == other.Target &&
		slices.Equal(r.Related, other.Related) && r.Outcome == other.Outcome && r.Reason == other.Reason &&
		r.Tenant == other.Tenant &&
		slices.EqualFunc(r.Changes, other.Changes, func(a, b Change) bool {
			return a.Field == b.Field && sameValue(a.Old, b.Old) && sameValue(a.New, b.New)
		}) &&
		slices.EqualFunc(r.Metadata, other.Metadata, func(a, b attribute.KeyValue) bool {
			return a.Key == b.Key && sameValue(a.Value, b.Value)
		})
}

func (a *Actor) equal(b *Actor) bool {
	for {
		if a.Type != b.Type || a.ID != b.ID || a.Name != b.Name || a.Tenant != b.Tenant || a.Session != b.Session ||
			a.AuthMethod != b.AuthMethod || a.Trust != b.Trust || !slices.Equal(a.Roles, b.Roles) {
			return false
		}
		if a.OnBehalfOf == nil || b.OnBehalfOf == nil {
			return a.OnBehalfOf == b.OnBehalfOf
		}
		a, b = a.OnBehalfOf, b.OnBehalfOf
	}
}

// Clone returns a copy that shares nothing that could change with r.
func (r *Record) Clone() *Record {
	c := *r
	c.Related = slices.Clone(r.Related)
	c.Changes = slices.Clone(r.Changes)
	c.Metadata = slices.Clone(r.Metadata)
	c.Sanitized = slices.Clone(r.Sanitized)
	c.Actor = *r.Actor.clone()
	return &c
}

func (a *Actor) clone() *Actor {
	c := *a
	c.Roles = slices.Clone(a.Roles)
	if a.OnBehalfOf != nil {
		c.OnBehalfOf = a.OnBehalfOf.clone()
	}
	return &c
}

// Reset empties r for reuse and keeps the memory of its slices.
func (r *Record) Reset() {
	clear(r.Metadata)
	clear(r.Changes)
	related, changes, metadata, sanitized := r.Related[:0], r.Changes[:0], r.Metadata[:0], r.Sanitized[:0]
	*r = Record{}
	r.Related, r.Changes, r.Metadata, r.Sanitized = related, changes, metadata, sanitized
}

// Fixed returns a with the id, time, actor, reason and tenant under which r records it, and shares nothing with the caller's a
// that could change: tracking it again is the same activity, whatever context it is tracked in. r may also be what
// [Recorder.Record] left of an activity that the policy ignores.
func (r *Record) Fixed(a Activity) Activity {
	a.ID, a.Time, a.Actor, a.Reason, a.Tenant = r.ID, r.Time, *r.Actor.clone(), r.Reason, r.Tenant
	a.Outcome = cmp.Or(r.Outcome, a.Outcome)
	a.Related, a.Changes, a.Metadata = slices.Clone(a.Related), slices.Clone(a.Changes), slices.Clone(a.Metadata)
	a.fixed, a.flags = true, nil
	for _, s := range r.Sanitized {
		if isOfActor(s.Field) || s.Field == KeyReason || s.Field == KeyTenant {
			a.flags = append(a.flags, s)
		}
	}
	return a
}
