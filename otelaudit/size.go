package otelaudit

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// size brings the record under MaxRecordBytes: the largest values of metadata and changes go first, then related targets
// from the end. What remains without them is smaller by the limits of its parts.
//
// What goes depends on the activity alone. For the rest, such as the request and the flags, the most is reserved: an activity
// that is tracked again in another context must lose the same values, or it would be another activity.
func (c *cleaner) size() {
	const limit = MaxRecordBytes - reservedSize
	total := c.r.activitySize()
	if total <= limit {
		return
	}
	type sized struct {
		field string
		value *attribute.Value
		size  int
	}
	var all []sized
	c.r.values(func(field string, v *attribute.Value) {
		if n := valueSize(*v); n > 0 {
			all = append(all, sized{field, v, n})
		}
	})
	slices.SortStableFunc(all, func(a, b sized) int { return cmp.Compare(b.size, a.size) })
	for _, s := range all {
		if total <= limit {
			return
		}
		c.flagValue(s.field, ReasonTooLarge, *s.value)
		*s.value = attribute.Value{}
		total -= s.size
	}
	for n := len(c.r.Related); n > 0 && total > limit; n-- {
		last := c.r.Related[n-1]
		c.flagText(KeyRelated, ReasonTooLarge, last.Type+" "+last.ID)
		c.r.Related = c.r.Related[:n-1]
		total -= targetSize(last)
	}
}

// values visits every value of metadata and changes.
func (r *Record) values(visit func(field string, v *attribute.Value)) {
	for i := range r.Metadata {
		visit(string(r.Metadata[i].Key), &r.Metadata[i].Value)
	}
	for i := range r.Changes {
		visit(KeyChanges, &r.Changes[i].Old)
		visit(KeyChanges, &r.Changes[i].New)
	}
}

const (
	fixedSize     = 1024     // the keys of a record's own attributes, its ids, times, outcome and trust
	flagExtra     = 128      // of a flag: the hash in hex, the length, the keys
	roleExtra     = 3        // of a role: quotes and comma
	maxReasonName = 32       // the reason of a flag
	maxRolesBytes = 32 << 10 // roles of all actors of a record

	// reservedSize is the most that a record holds beside the activity: its flags, error type, operation and request.
	reservedSize = MaxFlags*(flagExtra+MaxKeyBytes+maxReasonName) + MaxNameBytes + MaxIDBytes +
		4*MaxMethodBytes + 3*MaxPathBytes + MaxUserAgentBytes + MaxIDBytes
)

// size is about how many bytes the record takes, without its resource and before any escaping.
func (r *Record) size() int {
	q := &r.Request
	n := r.activitySize() + len(r.ErrorType) + len(r.Operation) + len(q.Method) + len(q.Route) + len(q.Path) + len(q.RPCMethod) +
		2*len(q.ClientAddress) + len(q.PeerAddress) + len(q.UserAgent) + len(q.ID)
	for i := range r.Sanitized {
		n += flagExtra + len(r.Sanitized[i].Field) + len(r.Sanitized[i].Reason)
	}
	return n
}

// activitySize is the part of size that is the activity's, as SameActivity sees it.
func (r *Record) activitySize() int {
	n := fixedSize + len(r.Action) + len(r.Verb) + len(r.Reason) + len(r.Tenant) + targetSize(r.Target)
	for a := &r.Actor; a != nil; a = a.OnBehalfOf {
		n += 80 + len(a.ID) + len(a.Name) + len(a.Tenant) + len(a.Session) + len(a.AuthMethod)
		for _, role := range a.Roles {
			n += len(role) + roleExtra
		}
	}
	for i := range r.Related {
		n += targetSize(r.Related[i])
	}
	for i := range r.Metadata {
		n += len(r.Metadata[i].Key) + valueSize(r.Metadata[i].Value)
	}
	for i := range r.Changes {
		n += len(r.Changes[i].Field) + len(entryOld) + len(entryNew) + valueSize(r.Changes[i].Old) + valueSize(r.Changes[i].New)
	}
	return n
}

func targetSize(t Target) int { return 32 + len(t.Type) + len(t.ID) + len(t.Name) }

// valueSize is about how many bytes v takes when written.
func valueSize(v attribute.Value) int {
	switch v.Type() {
	case attribute.EMPTY:
		return 0
	case attribute.STRING:
		return len(v.AsString())
	case attribute.BYTESLICE:
		return len(v.AsByteSlice()) * 4 / 3
	case attribute.STRINGSLICE:
		n := 0
		for _, s := range v.AsStringSlice() {
			n += len(s) + 3
		}
		return n
	case attribute.BOOLSLICE:
		return 5 * len(v.AsBoolSlice())
	case attribute.INT64SLICE:
		return 20 * len(v.AsInt64Slice())
	case attribute.FLOAT64SLICE:
		return 24 * len(v.AsFloat64Slice())
	case attribute.SLICE:
		n := 0
		for _, e := range v.AsSlice() {
			n += valueSize(e) + 1
		}
		return n
	case attribute.MAP:
		n := 0
		for _, kv := range v.AsMap() {
			n += len(kv.Key) + valueSize(kv.Value) + 4
		}
		return n
	default: // a number or a boolean
		return 24
	}
}
