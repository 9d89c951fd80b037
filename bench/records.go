package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// resource is that of all records.
var resource = attribute.NewSet(
	attribute.String("service.name", "billing"),
	attribute.String("service.version", "1.4.2"),
	attribute.String("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"),
)

// submission is what a handler tracks, and the context in which it does.
type submission struct {
	ctx      context.Context //nolint:containedctx // as it comes
	activity otelaudit.Activity
}

// makeSubmissions returns n activities as a busy web application has them: of 5,000 users, 100,000 invoices and orders, and 40
// customers. They are the same each time.
func makeSubmissions(ctx context.Context, n int) []submission {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in each run
	submissions := make([]submission, n)
	for i := range submissions {
		a := makeActivity(random)
		submissions[i] = submission{makeRequest(ctx, random, a.Target), a}
	}
	return submissions
}

// makeRecords returns the records of submissions, 20 µs apart from at on: about 600 bytes each.
func makeRecords(submissions []submission, at time.Time) ([]*otelaudit.Record, error) {
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	if err != nil {
		return nil, err
	}
	records := make([]*otelaudit.Record, len(submissions))
	for i, s := range submissions {
		s.activity.Time = at.Add(time.Duration(i) * 20 * time.Microsecond)
		r := new(otelaudit.Record)
		if _, err := recorder.Record(s.ctx, &s.activity, r); err != nil {
			return nil, err
		}
		r.Resource = resource
		records[i] = r
	}
	return records, nil
}

func makeActivity(random *rand.Rand) otelaudit.Activity {
	kinds := []struct{ action, target string }{
		{"invoice.create", "invoice"},
		{"invoice.update", "invoice"},
		{"invoice.approve", "invoice"},
		{"order.ship", "order"},
		{"order.cancel", "order"},
	}
	kind := kinds[random.IntN(len(kinds))]
	user := random.IntN(5000)
	number := random.IntN(100_000)
	a := otelaudit.Activity{
		Action: kind.action,
		Actor: otelaudit.Actor{
			Type:       otelaudit.ActorUser,
			ID:         fmt.Sprintf("usr_%06d", user),
			Name:       fmt.Sprintf("Ada Lovelace %d", user),
			Roles:      []string{"accounting", "approver"},
			Tenant:     fmt.Sprintf("customer-%d", user%40),
			AuthMethod: "oidc",
			Trust:      otelaudit.TrustVerified,
		},
		Target: otelaudit.Target{Type: kind.target, ID: fmt.Sprintf("%.3s_%08d", kind.target, number), Name: fmt.Sprintf("2026-%05d", number)},
		Reason: "within the approver's limit",
		Metadata: []attribute.KeyValue{
			attribute.Int("amount.cents", random.IntN(1_000_000)),
			attribute.String("amount.currency", "EUR"),
			attribute.Bool("rush", random.IntN(10) == 0),
		},
	}
	if random.IntN(20) == 0 {
		a.Err = otelaudit.ErrDenied
	}
	if random.IntN(3) == 0 {
		a.Changes = otelaudit.Changes{
			{Field: "status", Old: attribute.StringValue("draft"), New: attribute.StringValue("approved")},
			{Field: "version", Old: attribute.IntValue(number), New: attribute.IntValue(number + 1)},
		}
	}
	return a
}

// makeRequest is ctx with the request that an activity on target came with, and its span.
func makeRequest(ctx context.Context, random *rand.Rand, target otelaudit.Target) context.Context {
	client := fmt.Sprintf("203.0.113.%d", random.IntN(256))
	ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{
		Method:        "POST",
		Route:         "/" + target.Type + "s/{id}",
		Path:          "/" + target.Type + "s/" + target.ID,
		ClientAddress: client,
		PeerAddress:   "10.0.3.4",
		UserAgent:     "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		ID:            fmt.Sprintf("req-%016x", random.Uint64()),
	})
	var span trace.SpanContextConfig
	for i := range span.TraceID {
		span.TraceID[i] = byte(random.Uint32()) | 1
	}
	copy(span.SpanID[:], span.TraceID[4:])
	span.TraceFlags = trace.FlagsSampled
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(span))
}
