package propagation_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// FuzzExtract looks for headers that name an actor without the genuine token, that leave our member in the baggage, or that
// change what OpenTelemetry makes of the others. Lines are separated by line breaks, which no header has.
func FuzzExtract(f *testing.F) {
	w := newWorld(f, "orders")
	token := genuine().signed()
	f.Fuzz(func(t *testing.T, text, traceparent string) {
		lines := strings.Split(text, "\n")
		carrier := otelpropagation.HeaderCarrier{"Baggage": lines}
		if traceparent != "" {
			carrier["Traceparent"] = []string{traceparent}
		}
		ctx := w.Extract(t.Context(), carrier)
		requireNoMember(t, ctx)
		actor, acts := otelaudit.ActorFromContext(ctx)
		rejection, rejected := propagation.RejectionFromContext(ctx)
		require.False(t, acts && rejected, "either, or")
		if acts {
			// Nobody can make another token than the one there is, and that one holds on its trace only.
			require.Contains(t, text, token)
			require.Contains(t, traceparent, forgeryTrace)
			require.Equal(t, "edge", actor.ID)
			require.Equal(t, "alice", actor.OnBehalfOf.ID)
		}
		if rejected {
			require.NotEmpty(t, rejection)
		}
		rest := propagation.StripBaggage(lines)
		require.Empty(t, rejectionOf(t, w, rest), "what is left has nothing of ours")
		want := otelpropagation.Baggage{}.Extract(t.Context(), otelpropagation.HeaderCarrier{"Baggage": rest})
		require.Equal(t, baggage.FromContext(want).Len(), baggage.FromContext(ctx).Len())
		for _, m := range baggage.FromContext(want).Members() {
			require.Equal(t, m, baggage.FromContext(ctx).Member(m.Key()))
		}
	})
}

func rejectionOf(t *testing.T, w world, lines []string) propagation.Rejection {
	t.Helper()
	rejection, _ := propagation.RejectionFromContext(w.Extract(t.Context(), otelpropagation.HeaderCarrier{"Baggage": lines}))
	return rejection
}
