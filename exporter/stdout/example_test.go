package stdout_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// JSON Lines of whatever a LoggerProvider emits.
func ExampleNew() {
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewSimpleProcessor(stdout.New(os.Stdout))),
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", "billing"))),
	)
	ctx := context.Background()
	at := time.Date(2026, 5, 4, 12, 4, 5, 0, time.UTC)

	var r log.Record
	r.SetEventName("invoice.approve")
	r.SetTimestamp(at)
	r.SetObservedTimestamp(at)
	r.AddAttributes(
		attribute.String("audit.actor.id", "alice"),
		attribute.String("audit.target.id", "42"),
		attribute.Float64("invoice.amount", 120),
	)
	provider.Logger("").Emit(ctx, r)
	if err := provider.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"time":"2026-05-04T12:04:05.000000Z","observed_time":"2026-05-04T12:04:05.000000Z","event_name":"invoice.approve","attributes":{"audit.actor.id":"alice","audit.target.id":"42","invoice.amount":120.0},"resource":{"service.name":"billing"}}
}

// Activities, for a person to read. A trail does for Track what emit does here.
func ExampleNewConsole() {
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(stdout.NewConsole(os.Stdout))))
	at := time.Date(2026, 5, 4, 12, 4, 5, 0, time.UTC)
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{Now: func() time.Time { return at }})
	if err != nil {
		fmt.Println(err)
		return
	}
	emit := func(ctx context.Context, a otelaudit.Activity) {
		var r otelaudit.Record
		if _, err := recorder.Record(ctx, &a, &r); err != nil {
			fmt.Println(err)
			return
		}
		var lr log.Record
		lr.SetEventName(r.Action)
		lr.SetTimestamp(r.Time)
		lr.SetObservedTimestamp(r.Observed)
		lr.AddAttributes(r.AppendAttributes(nil)...)
		provider.Logger("").Emit(ctx, lr)
	}

	invoice := otelaudit.Target{Type: "invoice", ID: "42"}
	carol := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "carol", Roles: []string{"admin"}}
	ctx := otelaudit.ContextWithActor(context.Background(), carol.For(otelaudit.User("c-7")))
	emit(ctx, otelaudit.Activity{
		Action: "invoice.update",
		Target: invoice,
		Reason: "wrong amount",
		Changes: otelaudit.Changes{
			{Field: "amount", Old: attribute.IntValue(100), New: attribute.IntValue(120)},
			{Field: "approver", New: attribute.StringValue("alice")},
		},
	})
	emit(otelaudit.ContextWithActor(ctx, otelaudit.User("bob")), otelaudit.Activity{
		Action:  "invoice.approve",
		Target:  invoice,
		Outcome: otelaudit.Denied,
		Reason:  "over bob's limit",
	})
	if err := provider.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2026-05-04 UTC
	// 12:04:05.000    carol (admin) for c-7  invoice.update  invoice/42    success  "wrong amount"
	//                   amount:   100 → 120
	//                 + approver: "alice"
	// 12:04:05.000  ✗ bob                    invoice.approve  invoice/42    DENIED   "over bob's limit"
}
