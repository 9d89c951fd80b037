package integrity

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// The records that tests, benchmarks, vectors and the document have in common.

var noon = time.Date(2026, 1, 2, 12, 0, 0, 6000, time.UTC)

var spanContext = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID:    trace.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36},
	SpanID:     trace.SpanID{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
	TraceFlags: trace.FlagsSampled,
})

// recorded is the record of a in ctx.
func recorded(tb testing.TB, ctx context.Context, a otelaudit.Activity) *otelaudit.Record {
	tb.Helper()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{Now: func() time.Time { return noon.Add(time.Millisecond) }})
	require.NoError(tb, err)
	r := new(otelaudit.Record)
	_, err = rc.Record(ctx, &a, r)
	require.NoError(tb, err)
	return r
}

// typical is a record as a web application's are: 25 attributes, and a resource of six.
func typical(tb testing.TB) *otelaudit.Record {
	tb.Helper()
	ctx := otelaudit.ContextWithRequest(tb.Context(), otelaudit.Request{
		Method: "POST", Route: "/invoices/{id}/approve", ClientAddress: "203.0.113.7", ID: "req-0000a5f8",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
	})
	actor := otelaudit.User("usr_001846")
	actor.Name, actor.Roles, actor.Tenant = "Ada Lovelace", []string{"approver", "accounting"}, "acme"
	actor.Trust = otelaudit.TrustVerified
	r := recorded(tb, trace.ContextWithSpanContext(ctx, spanContext), otelaudit.Activity{
		ID:     otelaudit.DeriveID("integrity", "typical"),
		Time:   noon,
		Action: "invoice.approve",
		Actor:  actor,
		Target: otelaudit.Target{Type: "invoice", ID: "inv_00000042"},
		Reason: "within the approver's limit",
		Changes: otelaudit.Changes{
			{Field: "status", Old: attribute.StringValue("draft"), New: attribute.StringValue("approved")},
		},
		Metadata: []attribute.KeyValue{
			attribute.Int64("invoice.amount_cents", 129900), attribute.String("invoice.currency", "EUR"),
		},
	})
	r.Resource = attribute.NewSet(
		attribute.String("service.name", "billing"),
		attribute.String("service.version", "1.4.2"),
		attribute.String("service.instance.id", "billing-7c9f5d8b6d-x2x4z"),
		attribute.String("telemetry.sdk.name", "opentelemetry"),
		attribute.String("telemetry.sdk.language", "go"),
		attribute.String("telemetry.sdk.version", "1.47.0"),
	)
	return r
}

// full is a record with something in every field, and in its metadata every type of value.
func full() *otelaudit.Record {
	customer := otelaudit.Actor{
		Type: otelaudit.ActorUser, ID: "customer", Name: "Cy", Roles: []string{"owner"}, Tenant: "acme",
		Session: "sha256:00", AuthMethod: "oidc", Trust: otelaudit.TrustPropagated,
	}
	return &otelaudit.Record{
		ID:       otelaudit.DeriveID("integrity", "full"),
		Time:     noon,
		Observed: noon.Add(time.Millisecond),
		Action:   "invoice.approve",
		Verb:     "APPROVE",
		Actor: otelaudit.Actor{
			Type: otelaudit.ActorService, ID: "orders", Name: "Orders", Roles: []string{"approver", ""}, Tenant: "acme",
			Session: "sha256:01", AuthMethod: "mtls", Trust: otelaudit.TrustVerified, OnBehalfOf: &customer,
		},
		Target:    otelaudit.Target{Type: "invoice", ID: "42", Name: "2026-0042"},
		Related:   []otelaudit.Target{{Type: "order", ID: "7", Name: "Größe 7"}},
		Outcome:   otelaudit.Denied,
		ErrorType: "*errors.errorString",
		Reason:    "too much",
		Changes:   otelaudit.Changes{{Field: "state", Old: attribute.StringValue("open"), New: attribute.BoolValue(true)}},
		Metadata: []attribute.KeyValue{
			attribute.Bool("a bool", true),
			attribute.BoolSlice("b bools", []bool{true, false}),
			attribute.ByteSlice("c bytes", []byte{0, 0xff}),
			{Key: "d empty"},
			attribute.Float64("e float", -0.5),
			attribute.Float64Slice("f floats", []float64{1, math.Copysign(0, -1)}),
			attribute.Int64("g int", -2),
			attribute.Int64Slice("h ints", []int64{1, math.MinInt64}),
			attribute.Map("i map", attribute.Int("n", 1), attribute.Map("none")),
			attribute.Slice("j slice", attribute.StringValue("x"), attribute.SliceValue(), attribute.Value{}),
			attribute.String("k string", "日本語"),
			attribute.StringSlice("l strings", []string{"a", ""}),
		},
		Tenant:    "acme",
		Operation: "op-1",
		Request: otelaudit.Request{
			Method: "POST", Route: "/invoices/{id}", Path: "/invoices/42", RPCMethod: "billing.Invoices/Approve",
			ClientAddress: "203.0.113.7", PeerAddress: "10.0.3.4", UserAgent: "curl/8", ID: "req-1",
		},
		TraceID:    spanContext.TraceID(),
		SpanID:     spanContext.SpanID(),
		TraceFlags: spanContext.TraceFlags(),
		Resource:   attribute.NewSet(attribute.String("service.name", "billing"), attribute.Int("shard", 3)),
		Sanitized:  []otelaudit.Sanitization{{Field: "k string", Reason: otelaudit.ReasonTooLong, Length: 70000, SHA256: [32]byte{0xe3, 31: 0x55}}},
	}
}
