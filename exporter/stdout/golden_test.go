package stdout_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(io.Writer) *stdout.Exporter{
		"lines.golden":   stdout.New,
		"console.golden": stdout.NewConsole,
		"colour.golden":  stdout.NewColourConsole,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			provider := sdklog.NewLoggerProvider(
				sdklog.WithProcessor(sdklog.NewSimpleProcessor(open(&out))),
				sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", "billing"))),
			)
			ctx := otelaudit.ContextWithTenant(context.Background(), "acme")
			ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{Method: "POST", Route: "/invoices/{id}", ClientAddress: "203.0.113.7"})
			for i, a := range story() {
				ctx := ctx
				if i == 2 {
					ctx = traced(ctx)
				}
				provider.Logger("").Emit(ctx, logRecord(ctx, t, a))
			}
			var plain log.Record
			plain.SetEventName("server.started")
			plain.SetTimestamp(noon)
			plain.SetObservedTimestamp(noon)
			plain.SetSeverity(log.SeverityInfo)
			plain.SetSeverityText("INFO")
			plain.SetBody(attribute.StringValue("listening on :8080"))
			plain.AddAttributes(attribute.Int("server.port", 8080))
			provider.Logger("main", log.WithInstrumentationVersion("1.2")).Emit(ctx, plain)
			require.NoError(t, provider.Shutdown(ctx))
			requireGolden(t, name, out.Bytes())
		})
	}
}
