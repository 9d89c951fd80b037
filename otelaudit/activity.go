package otelaudit

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Activity is what a service says it did: the argument of [Track]. Only Action is mandatory; what is left zero comes
// from the context or from the time of the call.
//
// Track copies what it keeps: the caller may change or reuse slices once Track has returned.
type Activity struct {
	// Action is the event name: dot-separated, from the general to the particular, stable over releases
	// ("invoice.approve"). Its last part in upper case is the record's verb, audit.action ("APPROVE").
	Action string
	// Actor is who acts. Defaults to the actor in the context; with none there, the record's actor is "unknown".
	Actor Actor
	// Target is what is acted upon.
	Target Target
	// Related are further things the activity touched. They count as covered for [Fallback], like Target.
	Related []Target
	// Outcome defaults to what Err says: Success without one, Denied for [ErrDenied], else Failure.
	// [Policy.Classify] may decide otherwise.
	Outcome Outcome
	// Reason says why, in words for a person. Defaults to the reason in the context.
	Reason string
	// Changes are the fields that changed, as [Diff] and [Fields.Diff] make them.
	Changes Changes
	// Metadata is anything else. It overrides what the request says about itself (http.route, client.address …), never who
	// acted: keys that begin with "audit." or "otelaudit." or name the actor get the prefix "metadata.".
	Metadata []attribute.KeyValue
	// Err gives the outcome and the attribute error.type. Its text is never recorded.
	Err error
	// Tenant defaults to the tenant in the context, else to the actor's.
	Tenant string
	// Time is when it happened. Defaults to now. Kept in whole microseconds, UTC.
	Time time.Time
	// ID names the record for ever and makes a repetition harmless: the same ID and Time twice is one record.
	// Defaults to a new UUIDv7. An ID of your own needs a Time, unless it is a UUIDv7, which carries one.
	// See [DeriveID].
	ID ID
	// Wait says how far the record must have come when Track returns. Defaults to what the trail is configured for.
	Wait Wait

	fixed bool           // by Record.Fixed: actor, reason and tenant are what they are, and the context no longer speaks
	flags []Sanitization // likewise: what was altered in them
}

// Target is a thing that was acted upon.
type Target struct {
	Type string // what kind of thing, "invoice"
	ID   string // which one, unique within Type and tenant
	Name string // what people call it
}

// Outcome is how an activity ended.
type Outcome string

// The outcomes. The zero Outcome of an [Activity] means: see Activity.Err.
const (
	Success        Outcome = "success"
	Failure        Outcome = "failure"
	Denied         Outcome = "denied" // refused by a rule: audit.outcome is "failure", otelaudit.outcome is "denied"
	OutcomeUnknown Outcome = "unknown"
)

func (o Outcome) valid() bool {
	switch o {
	case Success, Failure, Denied, OutcomeUnknown:
		return true
	}
	return false
}

// Wait says how far a record must have come when [Track] returns.
type Wait uint8

const (
	// WaitDefault is what the trail is configured for.
	WaitDefault Wait = iota
	// Delivered waits until every required sink of the trail has the record.
	Delivered
)

// Change is one field of a target, before and after. An empty [attribute.Value] means that there was none: Old when the
// target was created, New when it was deleted.
type Change struct {
	Field string
	Old   attribute.Value
	New   attribute.Value
}

// Changes are the fields of a target that changed. A record keeps them sorted by field, each field once.
type Changes []Change

// Redacted stands for both values of a field that is sensitive: that it changed is recorded, its content is not.
const Redacted = "***REDACTED***"
