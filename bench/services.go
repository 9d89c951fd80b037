package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// kind is what a server does besides answering.
type kind string

const (
	unaudited   kind = "nothing"
	audited     kind = "Track to a sink that throws away"
	journaled   kind = "Track to a journal, and from there to Postgres"
	undelivered kind = "Track to a journal, without a sink"
	inserting   kind = "INSERT"
	// insertingByDefault has as many connections as pgxpool has by default.
	insertingByDefault kind = "INSERT, default pool"
)

// service is what a server serves.
type service struct {
	approve http.HandlerFunc
	around  func(http.Handler) http.Handler
	records func() int64 // that are where the answer says they are
	close   func() error
}

// newService makes the service of a kind. url is of the Postgres and dir the journal's, where the kind has them.
func newService(ctx context.Context, k kind, url, dir string) (*service, error) {
	switch k {
	case unaudited:
		return &service{
			approve: answerOK, around: func(h http.Handler) http.Handler { return h },
			records: func() int64 { return 0 }, close: func() error { return nil },
		}, nil
	case audited:
		sink := new(discard)
		t, err := openTrail(ctx, sink)
		if err != nil {
			return nil, err
		}
		return tracking(t, sink.records.Load), nil
	case journaled:
		return newJournaled(ctx, url, dir)
	case undelivered:
		return newJournaled(ctx, "", dir)
	case inserting:
		return newInserter(ctx, url, insertConnections)
	case insertingByDefault:
		return newInserter(ctx, url, 0)
	default:
		return nil, fmt.Errorf("no such kind of server: %q", k)
	}
}

// newJournaled makes the service that answers once its record is in the journal.
func newJournaled(ctx context.Context, url, dir string) (*service, error) {
	t, err := openDurableTrail(ctx, url, dir)
	if err != nil {
		return nil, err
	}
	return tracking(t, func() int64 { return int64(t.Status().Emitted) }), nil //nolint:gosec // a count
}

// openDurableTrail opens a trail that is as it is by default, with a journal in dir and a sink to Postgres; or without one, where
// url is empty.
func openDurableTrail(ctx context.Context, url, dir string) (*trail.Trail, error) {
	c := trail.Config{Dir: dir, Resource: sdkresource.NewSchemaless(resource.ToSlice()...)}
	if url != "" {
		e, err := postgres.Open(ctx, url)
		if err != nil {
			return nil, err
		}
		c.Sinks = []trail.Sink{{Name: "postgres", Exporter: e}}
	}
	return trail.Open(ctx, c)
}

func answerOK(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok") // a client that is gone is missing in the count
}

// A stub of authentication: what a service with sessions in memory does.
const (
	sessionHeader = "X-Session"
	sessionID     = "3f1c6f0e8d7b4a5c"
)

var approver = otelaudit.Actor{
	Type: otelaudit.ActorUser, ID: "usr_000042", Name: "Ada Lovelace", Roles: []string{"accounting", "approver"},
	Tenant: "customer-7", AuthMethod: "oidc", Trust: otelaudit.TrustVerified,
}

const approvalReason = "within the approver's limit"

// tracking is a service that tracks what it did.
func tracking(t *trail.Trail, records func() int64) *service {
	otelaudit.SetDefault(t)
	sessions := map[string]otelaudit.Actor{sessionID: approver}
	return &service{
		approve: func(w http.ResponseWriter, r *http.Request) {
			err := otelaudit.Track(r.Context(), otelaudit.Activity{
				Action: "invoice.approve",
				Target: otelaudit.Target{Type: "invoice", ID: r.PathValue("id")},
				Reason: approvalReason,
			})
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answerOK(w, r)
		},
		around: audithttp.NewMiddleware(func(r *http.Request) (otelaudit.Actor, error) {
			return sessions[r.Header.Get(sessionHeader)], nil
		}),
		records: records,
		close:   t.Close,
	}
}

// handler is a service behind otelhttp.
func handler(s *service, answered *atomic.Int64) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /invoices/{id}/approve", func(w http.ResponseWriter, r *http.Request) {
		s.approve(w, r)
		answered.Add(1)
	})
	spans := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(noSpans{}))
	return otelhttp.NewHandler(s.around(mux), "api", otelhttp.WithTracerProvider(spans))
}
