package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Reader reads stored records. It is safe for concurrent use.
type Reader interface {
	// Query returns the newest records that match f, at most p.Limit, and where to go on. Records are ordered by time, then
	// id, both descending. An error wraps [ErrInvalid] where f or p is at fault.
	Query(ctx context.Context, f Filter, p PageRequest) (Page, error)
}

// ErrInvalid marks a filter or page request that no Reader can answer. The wrapping error says what to mend.
var ErrInvalid = errors.New("query: invalid")

// Filter says which records to read: those that match all of its fields. A zero field matches everything.
//
// Metadata is compared as Postgres compares jsonb with @>. Numbers go by their value: 1 is 1.0. A map contains one with some of
// its entries, a slice one with some of its elements in any order and number; so it goes on inside. What JSON has no form of its
// own for is an object with one key to it, and matches its like only: bytes, −0.0, the empty slice of a type, a slice of mixed
// type whose elements happen to have one, a map whose only key begins with "$"; docs/schema.md has them.
type Filter struct {
	Actor     otelaudit.Actor     // by Type and ID; other fields must be zero. Type may be left out
	InChain   bool                // Actor may also be anyone on whose behalf the actor acted
	Target    otelaudit.Target    // by Type, or by Type and ID: the target itself, not related ones; Name must be zero
	Action    string              // the event name; "invoice.*" matches all below a prefix
	Outcomes  []otelaudit.Outcome // any of these
	Tenant    string
	Operation string
	TraceID   trace.TraceID
	From      time.Time            // at or after
	To        time.Time            // before
	Metadata  []attribute.KeyValue // each key with this value; a map or a slice matches one that contains it
}

// PageRequest says which page.
type PageRequest struct {
	Limit int    // at most this many records; defaults to DefaultLimit, at most MaxLimit
	After string // the Next of the page before; empty for the first
}

// The limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Page is some of the records that match, newest first.
type Page struct {
	Records []*otelaudit.Record
	Next    string // for PageRequest.After; empty when there are no more. Opaque, and no secret: it holds a time and an id
}

// Validate returns an error that wraps [ErrInvalid] and names the field of f that no Reader can answer.
func (f Filter) Validate() error {
	actor := otelaudit.Actor{Type: f.Actor.Type, ID: f.Actor.ID}
	other := f.Actor
	other.Type, other.ID = "", ""
	switch actor.Type {
	case "", otelaudit.ActorUser, otelaudit.ActorService, otelaudit.ActorSystem, otelaudit.ActorAnonymous, otelaudit.ActorUnknown:
	default:
		return invalid("Filter.Actor.Type %.40q is no type of actor", string(actor.Type))
	}
	switch {
	case !other.IsZero():
		return invalid("Filter.Actor is matched by Type and ID only: leave its other fields zero")
	case actor.Type != "" && actor.ID == "" && actor.Type != otelaudit.ActorAnonymous && actor.Type != otelaudit.ActorUnknown:
		return invalid("Filter.Actor has a type and no id: give both, or only the id")
	case actor.ID != "" && (actor.Type == otelaudit.ActorAnonymous || actor.Type == otelaudit.ActorUnknown):
		return invalid("Filter.Actor is %s, which has no id", actor.Type)
	case f.InChain && actor.IsZero():
		return invalid("Filter.InChain needs Filter.Actor")
	case f.Target.Name != "":
		return invalid("Filter.Target is matched by Type and ID only: leave Name empty")
	case f.Target.ID != "" && f.Target.Type == "":
		return invalid("Filter.Target has an id and no type: ids are unique within a type only")
	case !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To):
		return invalid("Filter.From (%s) is not before Filter.To (%s)", f.From.Format(time.RFC3339Nano), f.To.Format(time.RFC3339Nano))
	}
	for _, o := range f.Outcomes {
		switch o {
		case otelaudit.Success, otelaudit.Failure, otelaudit.Denied, otelaudit.OutcomeUnknown:
		default:
			return invalid("Filter.Outcomes: %.40q is no outcome", string(o))
		}
	}
	if prefix, ok := actionPrefix(f.Action); ok && (!utf8.ValidString(prefix) || strings.Contains(prefix, "\x00")) {
		return invalid("Filter.Action %.40q is not UTF-8, or has a NUL byte", f.Action)
	}
	for _, kv := range f.Metadata {
		if _, err := want(kv); err != nil {
			return err
		}
	}
	return nil
}

// Size returns the limit of the page with its default, or an error that wraps [ErrInvalid].
func (p PageRequest) Size() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultLimit, nil
	case p.Limit < 0 || p.Limit > MaxLimit:
		return 0, invalid("PageRequest.Limit %d: want 1 to %d, or 0 for %d", p.Limit, MaxLimit, DefaultLimit)
	}
	return p.Limit, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
