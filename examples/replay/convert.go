package main

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// activity is e as what somebody did. Everything in it comes from the event, so that the same event is always the same
// activity.
func (e event) activity() otelaudit.Activity {
	a := otelaudit.Activity{
		Action:   "aws." + strings.TrimSuffix(e.EventSource, ".amazonaws.com") + "." + e.EventName,
		Actor:    e.UserIdentity.actor(),
		Metadata: e.metadata(),
		Err:      e.failure(),
		Tenant:   e.RecipientAccountID,
		Time:     e.EventTime,
		ID:       e.id(),
	}
	a.Target, a.Related = e.targets()
	return a
}

// id is the event's own where that is a UUID, as CloudTrail's are, and else one that always follows from it.
func (e event) id() otelaudit.ID {
	id, err := otelaudit.ParseID(e.EventID)
	if err != nil || id.IsZero() {
		return otelaudit.DeriveID("cloudtrail:"+e.RecipientAccountID, e.EventID)
	}
	return id
}

// request is where e came from. AWS gives its own services' host names as source addresses, which is why the trail keeps
// these as text.
func (e event) request() otelaudit.Request {
	return otelaudit.Request{ClientAddress: e.SourceIPAddress, UserAgent: e.UserAgent, ID: e.RequestID}
}

// targets are the resources of e, the first of which is taken for what it is about, and without any the account itself.
func (e event) targets() (otelaudit.Target, []otelaudit.Target) {
	var ts []otelaudit.Target
	for _, r := range e.Resources {
		t := otelaudit.Target{Type: r.Type, ID: r.ARN}
		if t.Type == "" {
			t.Type = "aws.resource" // data events leave the type out; an id without any could not be asked for
		}
		if t.ID == "" {
			t.ID = r.ARNPrefix
		}
		if t.ID != "" {
			ts = append(ts, t)
		}
	}
	if len(ts) == 0 {
		return otelaudit.Target{Type: "aws.account", ID: e.RecipientAccountID}, nil
	}
	return ts[0], ts[1:]
}

func (e event) metadata() []attribute.KeyValue {
	kvs := []attribute.KeyValue{semconv.CloudProviderAWS}
	add := func(key attribute.Key, value string) {
		if value != "" {
			kvs = append(kvs, key.String(value))
		}
	}
	add(semconv.CloudAccountIDKey, e.RecipientAccountID)
	add(semconv.CloudRegionKey, e.AWSRegion)
	add("aws.event_type", e.EventType)
	add("aws.shared_event_id", e.SharedEventID)
	if e.ReadOnly != nil {
		kvs = append(kvs, attribute.Bool("aws.read_only", *e.ReadOnly))
	}
	// Whose the target is says something only where it is not the account's own.
	if len(e.Resources) > 0 && e.Resources[0].AccountID != e.RecipientAccountID {
		add("aws.resource.account_id", e.Resources[0].AccountID)
	}
	return kvs
}
