package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// api approves invoices. It leaves their payment to another process, and their receipts to a pool of its own.
type api struct {
	jobs    *river.Client[pgx.Tx]
	pool    *pool
	tracers trace.TracerProvider
	tracer  trace.Tracer
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /invoices/{id}/approve", a.approve)
	actor := audithttp.NewMiddleware(audithttp.BasicAuth(login))
	return propagation.Edge(otelhttp.NewHandler(actor(mux), "api", otelhttp.WithTracerProvider(a.tracers),
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true })))
}

const demoPassword = "alice-demo"

// login is a demo's: it compares in a time that tells how much was right, and knows one user.
func login(_ context.Context, user, password string) (otelaudit.Actor, error) {
	if user != "alice" || password != demoPassword {
		return otelaudit.Actor{}, nil
	}
	return otelaudit.User("alice"), nil
}

func (a *api) approve(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PathValue("id")
	cents, err := strconv.ParseInt(r.FormValue("cents"), 10, 64)
	if err != nil {
		http.Error(w, "cents is not a number", http.StatusBadRequest)
		return
	}
	err = otelaudit.Do(ctx, otelaudit.Activity{
		Action: "invoice.approve",
		Target: otelaudit.Target{Type: "invoice", ID: id},
	}, func(ctx context.Context, _ *otelaudit.Activity) error {
		_, err := a.jobs.Insert(ctx, payInvoice{Invoice: id, Cents: cents}, nil)
		return err
	})
	if err != nil {
		http.Error(w, "the invoice was not approved", http.StatusInternalServerError)
		return
	}
	later := otelaudit.Detach(ctx)
	a.pool.do(func() { a.sendReceipt(later, id) })
	w.WriteHeader(http.StatusAccepted)
}

// sendReceipt runs when the request is over, and yet says who made it.
func (a *api) sendReceipt(ctx context.Context, invoice string) {
	ctx, span := a.tracer.Start(ctx, "send receipt", trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)))
	defer span.End()
	if err := otelaudit.Track(ctx, otelaudit.Activity{
		Action: "receipt.send",
		Target: otelaudit.Target{Type: "invoice", ID: invoice},
	}); err != nil {
		span.RecordError(err)
	}
}
