package postgres

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

var recorder = func() *otelaudit.Recorder {
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
	if err != nil {
		panic(err)
	}
	return rc
}()

var testResource = attribute.NewSet(
	attribute.String("service.name", "billing"),
	attribute.String("service.version", "1.4.2"),
	attribute.String("service.instance.id", "billing-7c9f5d8b6d-x2x4z"),
	attribute.String("telemetry.sdk.name", "opentelemetry"),
	attribute.String("telemetry.sdk.language", "go"),
	attribute.String("telemetry.sdk.version", "1.47.0"),
)

// record is a's record.
func record(tb testing.TB, a otelaudit.Activity) *otelaudit.Record {
	tb.Helper()
	r := new(otelaudit.Record)
	recorded, err := recorder.Record(tb.Context(), &a, r)
	require.NoError(tb, err)
	require.True(tb, recorded)
	r.Resource = testResource
	return r
}

// typical is a record that ends in 18 attributes or so, as a web application's do. Records of the same i differ in their id.
func typical(tb testing.TB, i int, at time.Time) *otelaudit.Record {
	tb.Helper()
	ctx := otelaudit.ContextWithRequest(tb.Context(), otelaudit.Request{
		Method: "POST", Route: "/invoices/{id}/approve", Path: fmt.Sprintf("/invoices/%d/approve", i),
		ClientAddress: "203.0.113.7", PeerAddress: "10.0.3.4", ID: fmt.Sprintf("req-%08x", i),
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	})
	var traceID trace.TraceID
	var spanID trace.SpanID
	for j := range traceID {
		traceID[j] = byte(rand.Uint32()) | 1
	}
	copy(spanID[:], traceID[4:])
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled}))
	actor := otelaudit.User(fmt.Sprintf("usr_%06d", i%5000))
	actor.Name, actor.Roles, actor.Tenant, actor.AuthMethod, actor.Trust = "Ada Lovelace", []string{"approver", "accounting"}, "acme", "oidc", otelaudit.TrustVerified
	r := new(otelaudit.Record)
	_, err := recorder.Record(ctx, &otelaudit.Activity{
		Action: []string{"invoice.approve", "invoice.update", "invoice.create", "order.ship"}[i%4],
		Actor:  actor,
		Target: otelaudit.Target{Type: "invoice", ID: fmt.Sprintf("inv_%08d", i%100000), Name: "2026-0042"},
		Reason: "within the approver's limit",
		Time:   at,
		Changes: otelaudit.Changes{
			{Field: "status", Old: attribute.StringValue("draft"), New: attribute.StringValue("approved")},
		},
		Metadata: []attribute.KeyValue{
			attribute.Int64("invoice.amount_cents", int64(i)*100),
			attribute.String("invoice.currency", "EUR"),
			attribute.Bool("invoice.rush", i%2 == 0),
		},
	}, r)
	require.NoError(tb, err)
	r.Resource = testResource
	return r
}

func typicals(tb testing.TB, n int, at time.Time) []*otelaudit.Record {
	tb.Helper()
	rs := make([]*otelaudit.Record, n)
	for i := range rs {
		rs[i] = typical(tb, i, at.Add(time.Duration(i)*time.Microsecond))
	}
	return rs
}

func batch(rs ...*otelaudit.Record) *trail.Batch { return &trail.Batch{Records: rs} }
