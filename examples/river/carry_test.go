package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// args have what jsonb writes differently.
type args struct {
	Zebra  string             `json:"zebra"`
	A      string             `json:"a"`
	Large  int64              `json:"large"`
	Float  float64            `json:"float"`
	Small  float64            `json:"small"`
	Bytes  []byte             `json:"bytes"`
	At     time.Time          `json:"at"`
	Map    map[string]float64 `json:"map"`
	Nested *args              `json:"nested,omitempty"`
	None   []string           `json:"none"`
	Any    any                `json:"any"`
}

func (args) Kind() string { return "test" }

var tricky = args{
	Zebra: "<a href='x'>&\u2028é\\\"", A: "\x7f\xff\ufffd", Large: math.MaxInt64 - 1, Float: 1e21, Small: -5e-324, Bytes: []byte{0, 255},
	At: time.Date(2026, 11, 24, 1, 2, 3, 4, time.FixedZone("", 3600)), Map: map[string]float64{"b": 1e300, "aa": 0, "": 1.50},
	Nested: &args{Large: -1 << 53}, Any: []any{int64(math.MaxInt64), "x"},
}

func TestBodyThroughJSONB(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), localpg.Database(t))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	inserted, err := json.Marshal(tricky)
	require.NoError(t, err)
	var stored string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT $1::text::jsonb::text", string(inserted)).Scan(&stored))
	require.NotEqual(t, string(inserted), stored)
	before, err := bodyOf("test", inserted, new(*args))
	require.NoError(t, err)
	after, err := bodyOf("test", []byte(stored), new(args))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func propagator(t *testing.T, keys *propagation.Keyring, service string) *propagation.Propagator {
	t.Helper()
	p, err := propagation.New(propagation.Config{Service: service, Keys: keys})
	require.NoError(t, err)
	return p
}

// sent returns the job that is stored where alice inserts one, and the span in which she does.
func sent(t *testing.T, p *propagation.Propagator, tracer trace.Tracer) (*rivertype.JobRow, trace.SpanContext) {
	t.Helper()
	ctx := otelaudit.ContextWithOperation(otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice")), "op-1")
	ctx, span := tracer.Start(ctx, "request")
	defer span.End()
	encoded, err := json.Marshal(payInvoice{Invoice: "41", Cents: 1 << 60})
	require.NoError(t, err)
	params := &rivertype.JobInsertParams{Args: payInvoice{}, Kind: payInvoice{}.Kind(), EncodedArgs: encoded, Metadata: []byte(`{"other": 1}`)}
	_, err = sendActor(p, servicePayment).InsertMany(ctx, []*rivertype.JobInsertParams{params},
		func(context.Context) ([]*rivertype.JobInsertResult, error) { return nil, nil })
	require.NoError(t, err)
	require.Contains(t, string(params.Metadata), `"other":1`)
	return &rivertype.JobRow{ID: 7, Kind: params.Kind, EncodedArgs: params.EncodedArgs, Metadata: params.Metadata}, span.SpanContext()
}

func TestCarry(t *testing.T) {
	t.Parallel()
	keys, err := propagation.NewKeyring()
	require.NoError(t, err)
	demo, _, err := propagation.ParseKeys(newKeys())
	require.NoError(t, err)
	require.NoError(t, keys.Set(demo...))
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
	job, request := sent(t, propagator(t, keys, serviceAPI), tracer)
	receive := receiveActor[payInvoice](propagator(t, keys, servicePayment), tracer)

	var worked otelaudit.Actor
	require.NoError(t, receive.Work(t.Context(), job, func(ctx context.Context) error {
		worked, _ = otelaudit.ActorFromContext(ctx)
		operation, _ := otelaudit.OperationFromContext(ctx)
		require.Equal(t, "op-1", operation)
		return nil
	}))
	require.Equal(t, serviceAPI, worked.ID)
	require.Equal(t, "alice", worked.OnBehalfOf.ID)

	stub := spans.GetSpans()[1]
	require.Equal(t, "pay_invoice", stub.Name)
	require.False(t, stub.Parent.IsValid())
	require.Len(t, stub.Links, 1)
	require.Equal(t, request.TraceID(), stub.Links[0].SpanContext.TraceID())
	require.Equal(t, request.SpanID(), stub.Links[0].SpanContext.SpanID())
}

func TestCarryRefuses(t *testing.T) {
	t.Parallel()
	demo, _, err := propagation.ParseKeys(newKeys())
	require.NoError(t, err)
	keys, err := propagation.NewKeyring(demo...)
	require.NoError(t, err)
	tracer := sdktrace.NewTracerProvider().Tracer("test")
	good, _ := sent(t, propagator(t, keys, serviceAPI), tracer)
	other, _ := sent(t, propagator(t, keys, serviceAPI), tracer)

	for name, change := range map[string]func(*rivertype.JobRow){
		"arguments":             func(j *rivertype.JobRow) { j.EncodedArgs = []byte(`{"invoice": "41", "cents": 1152921504606846975}`) },
		"unreadable arguments":  func(j *rivertype.JobRow) { j.EncodedArgs = []byte(`{"invoice": 41}`) },
		"an argument taken out": func(j *rivertype.JobRow) { j.EncodedArgs = []byte(`{"invoice": "41"}`) },
		"kind":                  func(j *rivertype.JobRow) { j.Kind = "bill" },
		"no token":              func(j *rivertype.JobRow) { j.Metadata = []byte(`{}`) },
		"no metadata":           func(j *rivertype.JobRow) { j.Metadata = nil },
		"no string":             func(j *rivertype.JobRow) { j.Metadata = []byte(`{"otelaudit_actor_token": ["m1"]}`) },
		"cut":                   func(j *rivertype.JobRow) { j.Metadata = []byte(`{"otelaudit_actor_token": "` + tokenOf(j)[:40] + `"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorded := audittest.New(t)
			job := *good
			change(&job)
			err := receiveActor[payInvoice](propagator(t, keys, servicePayment), tracer).Work(
				otelaudit.ContextWithTrail(t.Context(), recorded), &job, func(context.Context) error {
					require.Fail(t, "worked")
					return nil
				})
			require.ErrorIs(t, err, new(river.JobCancelError))
			require.Len(t, recorded.Records(), 1)
			r := recorded.Records()[0]
			require.Equal(t, otelaudit.Anonymous(), r.Actor)
			require.Equal(t, otelaudit.Target{Type: "job", ID: strconv.Itoa(7)}, r.Target)
			require.Equal(t, otelaudit.Denied, r.Outcome)
			require.Len(t, r.Metadata, 1)
		})
	}
	t.Run("what the type does not have makes no difference", func(t *testing.T) {
		t.Parallel()
		job := *other
		job.EncodedArgs = []byte(`{"cents": 1152921504606846976, "x": [1], "invoice": "41"}`)
		done := errors.New("worked")
		require.ErrorIs(t, receiveActor[payInvoice](propagator(t, keys, servicePayment), tracer).Work(
			t.Context(), &job, func(context.Context) error { return done }), done)
	})
}
