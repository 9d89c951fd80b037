//go:build unix

package torture

import (
	"slices"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// difference names the first field in which the record that came differs from the one that is wanted, or returns "". Of ID and
// Time it looks at what is wanted, if anything; Observed and Resource are others' business.
func difference(want, came *otelaudit.Record) string {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"ID", want.ID.IsZero() || want.ID == came.ID},
		{"Time", want.Time.IsZero() || want.Time.Equal(came.Time)},
		{"Time's zone", came.Time.Location() == time.UTC},
		{"Action", want.Action == came.Action},
		{"Verb", want.Verb == came.Verb},
		{"Actor", sameActor(&want.Actor, &came.Actor)},
		{"Target", want.Target == came.Target},
		{"Related", slices.Equal(want.Related, came.Related)},
		{"Outcome", want.Outcome == came.Outcome},
		{"ErrorType", want.ErrorType == came.ErrorType},
		{"Reason", want.Reason == came.Reason},
		{"Changes", slices.Equal(want.Changes, came.Changes)},
		{"Metadata", slices.Equal(want.Metadata, came.Metadata)},
		{"Tenant", want.Tenant == came.Tenant},
		{"Operation", want.Operation == came.Operation},
		{"Request", sameRequest(want.Request, came.Request)},
		{"TraceID", want.TraceID == came.TraceID},
		{"SpanID", want.SpanID == came.SpanID},
		{"TraceFlags", want.TraceFlags == came.TraceFlags},
		{"Sanitized", slices.Equal(want.Sanitized, came.Sanitized)},
	} {
		if !f.same {
			return f.name
		}
	}
	return ""
}

func sameActor(a, b *otelaudit.Actor) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Type == b.Type && a.ID == b.ID && a.Name == b.Name && slices.Equal(a.Roles, b.Roles) && a.Tenant == b.Tenant &&
		a.Session == b.Session && a.AuthMethod == b.AuthMethod && a.Trust == b.Trust && sameActor(a.OnBehalfOf, b.OnBehalfOf)
}

// sameRequest compares what can be compared of two requests: a record's has no RouteFunc.
func sameRequest(a, b otelaudit.Request) bool {
	return a.Method == b.Method && a.Route == b.Route && a.Path == b.Path && a.RPCMethod == b.RPCMethod && a.ID == b.ID &&
		a.ClientAddress == b.ClientAddress && a.PeerAddress == b.PeerAddress && a.UserAgent == b.UserAgent
}
