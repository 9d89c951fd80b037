package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// payInvoice is asked for by somebody, so its worker has to know by whom.
type payInvoice struct {
	Invoice string `json:"invoice"`
	Cents   int64  `json:"cents"`
}

// Kind implements [river.JobArgs].
func (payInvoice) Kind() string { return "pay_invoice" }

type payer struct {
	river.WorkerDefaults[payInvoice]

	out     io.Writer
	receive rivertype.WorkerMiddleware
}

// Middleware implements [river.Worker].
func (p *payer) Middleware(*rivertype.JobRow) []rivertype.WorkerMiddleware {
	return []rivertype.WorkerMiddleware{p.receive}
}

// Work implements [river.Worker]. In ctx there is what was there when the job was inserted.
func (p *payer) Work(ctx context.Context, job *river.Job[payInvoice]) error {
	actor, _ := otelaudit.ActorFromContext(ctx)
	fmt.Fprintf(p.out, "invoice %s is paid by %s %s%s, in trace %s\n",
		job.Args.Invoice, actor.Type, actor.ID, onBehalf(actor), trace.SpanContextFromContext(ctx).TraceID())
	return otelaudit.Track(ctx, otelaudit.Activity{
		Action: "invoice.pay",
		Target: otelaudit.Target{Type: "invoice", ID: job.Args.Invoice},
	})
}

func onBehalf(a otelaudit.Actor) string {
	if a.OnBehalfOf == nil {
		return ""
	}
	return fmt.Sprintf(" on behalf of %s %s%s", a.OnBehalfOf.Type, a.OnBehalfOf.ID, onBehalf(*a.OnBehalfOf))
}

// bill is nobody's wish: the clock starts it.
type bill struct{}

// Kind implements [river.JobArgs].
func (bill) Kind() string { return "bill" }

type biller struct {
	river.WorkerDefaults[bill]

	tracer trace.Tracer
}

// Work implements [river.Worker].
func (b *biller) Work(ctx context.Context, _ *river.Job[bill]) error {
	ctx, span := b.tracer.Start(ctx, "bill", trace.WithNewRoot())
	defer span.End()
	ctx = otelaudit.ContextWithActor(ctx, otelaudit.System("nightly-billing"))
	ctx = otelaudit.ContextWithOperation(ctx, rand.Text())
	return otelaudit.Track(ctx, otelaudit.Activity{Action: "billing.run"})
}
