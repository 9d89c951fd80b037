package integrity

import (
	"encoding/binary"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// AppendCanonical appends the canonical form of r to dst and returns the longer slice. It allocates only where dst grows, and
// for values that are slices, maps or bytes.
//
// r is to be as a [otelaudit.Recorder] or [otelaudit.ParseRecord] makes it: see the package's documentation.
func AppendCanonical(dst []byte, r *otelaudit.Record) []byte {
	dst = append(dst, version)
	dst = append(dst, r.ID[:]...)
	dst = appendInt64(dst, r.Time.UnixMicro())
	dst = appendInt64(dst, r.Observed.UnixMicro())
	dst = append(dst, r.TraceID[:]...)
	dst = append(dst, r.SpanID[:]...)
	dst = append(dst, byte(r.TraceFlags), number(outcomes, r.Outcome))
	dst = appendString(dst, r.Action)
	dst = appendString(dst, r.Verb)
	dst = appendString(dst, r.ErrorType)
	dst = appendString(dst, r.Reason)
	dst = appendString(dst, r.Tenant)
	dst = appendString(dst, r.Operation)
	dst = appendActors(dst, &r.Actor)
	dst = appendTarget(dst, &r.Target)
	dst = appendCount(dst, len(r.Related))
	for i := range r.Related {
		dst = appendTarget(dst, &r.Related[i])
	}
	dst = appendCount(dst, len(r.Changes))
	for i := range r.Changes {
		c := &r.Changes[i]
		dst = appendString(dst, c.Field)
		dst = appendValue(dst, &c.Old)
		dst = appendValue(dst, &c.New)
	}
	dst = appendAttributes(dst, r.Metadata)
	dst = appendRequest(dst, &r.Request)
	dst = appendCount(dst, len(r.Sanitized))
	for i := range r.Sanitized {
		s := &r.Sanitized[i]
		dst = appendString(dst, s.Field)
		dst = appendString(dst, string(s.Reason))
		dst = appendInt64(dst, int64(s.Length))
		dst = append(dst, s.SHA256[:]...)
	}
	return appendResource(dst, &r.Resource)
}

func appendActors(dst []byte, first *otelaudit.Actor) []byte {
	n := 0
	for a := first; a != nil && n <= maxActors; a = a.OnBehalfOf { // a circle ends, and Decode refuses it
		n++
	}
	dst = appendCount(dst, n)
	for a := first; n > 0; a, n = a.OnBehalfOf, n-1 {
		dst = append(dst, number(actorTypes, a.Type), byte(a.Trust))
		dst = appendString(dst, a.ID)
		dst = appendString(dst, a.Name)
		dst = appendString(dst, a.Tenant)
		dst = appendString(dst, a.Session)
		dst = appendString(dst, a.AuthMethod)
		dst = appendStrings(dst, a.Roles)
	}
	return dst
}

func appendTarget(dst []byte, t *otelaudit.Target) []byte {
	dst = appendString(dst, t.Type)
	dst = appendString(dst, t.ID)
	return appendString(dst, t.Name)
}

func appendRequest(dst []byte, q *otelaudit.Request) []byte {
	dst = appendString(dst, q.Method)
	dst = appendString(dst, q.Route)
	dst = appendString(dst, q.Path)
	dst = appendString(dst, q.RPCMethod)
	dst = appendString(dst, q.ClientAddress)
	dst = appendString(dst, q.PeerAddress)
	dst = appendString(dst, q.UserAgent)
	return appendString(dst, q.ID)
}

// appendResource is last in a record, so that a Decoder sees at once whether it is the one before.
func appendResource(dst []byte, s *attribute.Set) []byte {
	n := s.Len()
	dst = appendCount(dst, n)
	for i := range n {
		kv, _ := s.Get(i)
		dst = appendString(dst, string(kv.Key))
		dst = appendValue(dst, &kv.Value)
	}
	return dst
}

func appendInt64(dst []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(n)) //nolint:gosec // two's complement is meant
}

func appendCount(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n)) //nolint:gosec // see above
	}
	return binary.AppendUvarint(dst, uint64(n))
}

func appendString(dst []byte, s string) []byte {
	return append(appendCount(dst, len(s)), s...)
}

func appendStrings(dst []byte, ss []string) []byte {
	dst = appendCount(dst, len(ss))
	for _, s := range ss {
		dst = appendString(dst, s)
	}
	return dst
}
