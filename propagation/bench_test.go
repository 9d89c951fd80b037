package propagation_test

import (
	"net/http"
	"strings"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

func BenchmarkExtract(b *testing.B) {
	w := newWorld(b, "orders")
	member := ours + genuine().signed()
	for name, baggage := range map[string]string{
		"ours":        member,
		"beside":      "flavour=vanilla,size=7," + member,
		"others":      "flavour=vanilla,size=7",
		"rejected":    member + "x",
		"10,000":      strings.Repeat("k=v,", 10_000) + member,
		"without any": "",
	} {
		b.Run(name, func(b *testing.B) {
			h := http.Header{"Traceparent": {forgeryTraceparent}}
			if baggage != "" {
				h["Baggage"] = []string{baggage}
			}
			carrier := otelpropagation.HeaderCarrier(h)
			b.ReportAllocs()
			for b.Loop() {
				w.Extract(b.Context(), carrier)
			}
		})
	}
}

func BenchmarkInject(b *testing.B) {
	w := newWorld(b, "edge")
	ctx := otelaudit.ContextWithActor(b.Context(), otelaudit.User("alice"))
	for name, audience := range map[string]string{"for nobody": "", "for orders": "orders"} {
		b.Run(name, func(b *testing.B) {
			carrier := otelpropagation.HeaderCarrier(http.Header{"Traceparent": {forgeryTraceparent}})
			b.ReportAllocs()
			for b.Loop() {
				w.Inject(propagation.ContextWithAudience(ctx, audience), carrier)
			}
		})
	}
}
