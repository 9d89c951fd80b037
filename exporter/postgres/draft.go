package postgres

import "github.com/rj-gamer/go-activity-tracker/otelaudit"

// The ids under which OpenTelemetry's draft has users who are nobody. No other user has them: otelaudit alters such an id.
const (
	anonymousID = "anonymous"
	unknownID   = "unknown"
)

// draft is an actor's type and id as the columns and jsonb have them, which is as OpenTelemetry's draft has them.
type draft struct {
	kind, id string // an empty kind, in a filter, is any
}

func draftOf(t otelaudit.ActorType, id string) draft {
	switch t {
	case otelaudit.ActorAnonymous:
		return draft{string(otelaudit.ActorUser), anonymousID}
	case otelaudit.ActorUnknown:
		return draft{string(otelaudit.ActorUser), unknownID}
	default:
		return draft{string(t), id}
	}
}

// actor is the inverse of draftOf.
func (d draft) actor() otelaudit.Actor {
	switch d {
	case draft{string(otelaudit.ActorUser), anonymousID}:
		return otelaudit.Actor{Type: otelaudit.ActorAnonymous}
	case draft{string(otelaudit.ActorUser), unknownID}:
		return otelaudit.Actor{Type: otelaudit.ActorUnknown}
	}
	return otelaudit.Actor{Type: otelaudit.ActorType(d.kind), ID: d.id}
}
