package propagation

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/metric"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Edge returns the handler for the door to the outside: no token comes in through it, and each request begins an operation.
// It goes around otelhttp, and around everything else that reads headers:
//
//	h = propagation.Edge(otelhttp.NewHandler(audithttp.NewMiddleware(actor)(mux), "api"))
//
// It removes our member from all lines of the request's baggage header, in whatever spelling it is there, and leaves the
// others as they are, byte for byte. It is needed although strangers cannot make tokens, because they may have found one,
// and because otelhttp.WithPublicEndpointFn stops traces, not baggage. Of the others the last ones are dropped, and counted,
// that would leave no room for ours in what goes on from here: whoever fills the header would be nobody to the services
// behind. So 63 members and 6,127 bytes come in. [EdgeBaggage] is for servers of other protocols.
//
// The operation, where the context has none, is a new random one. It travels with the tokens, so that all services record
// the same.
func Edge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if _, ok := otelaudit.OperationFromContext(ctx); !ok {
			ctx = otelaudit.ContextWithOperation(ctx, rand.Text())
		}
		inner := r.WithContext(ctx) // a handler must not change the request it was given
		inner.Header = withBaggage(r.Header, EdgeBaggage(ctx, r.Header[baggageName]))
		// What handlers leave in the copy: net/http removes the temporary files of MultipartForm.
		defer func() { r.Pattern, r.MultipartForm = inner.Pattern, inner.MultipartForm }()
		next.ServeHTTP(w, inner)
	})
}

// EdgeBaggage returns what a door to the outside lets in of the values of a baggage header, or of gRPC's baggage metadata, as
// [Edge] has it: without our member, and with room for it. Where there is nothing to take out it returns values itself; it never
// changes them.
func EdgeBaggage(ctx context.Context, values []string) []string {
	kept, dropped := fit(StripBaggage(values))
	if dropped > 0 {
		edgeDropped().Add(ctx, int64(dropped))
	}
	return kept
}

// edgeDropped counts the members that had no room, with the global meter provider.
var edgeDropped = sync.OnceValue(func() metric.Int64Counter {
	c, err := otel.Meter(scope).Int64Counter("otelaudit.propagation.edge.dropped", metric.WithUnit("{member}"),
		metric.WithDescription("Members of strangers' baggage that were dropped at the edge, for the actor token to have room."))
	if err != nil {
		otel.Handle(err)
	}
	return c
})

// fit returns lines up to the first member that leaves no room for ours, and how many members are not among them.
func fit(lines []string) (kept []string, dropped int) {
	var h header
	size := 0
	for i, line := range lines {
		for at := 0; at <= len(line); {
			end := len(line)
			if comma := strings.IndexByte(line[at:], ','); comma >= 0 {
				end = at + comma
			}
			h.isOurs(line[at:end])
			if i+at > 0 {
				size++ // the comma before it
			}
			size += end - at
			if size <= roomForOthers {
				size += growth(line[at:end])
			}
			if size > roomForOthers || h.members >= maxHeaderMembers {
				kept = append(kept, lines[:i]...)
				if at > 0 {
					kept = append(kept, line[:at-1])
				}
				var rest header
				rest.parse(append([]string{line[at:]}, lines[i+1:]...))
				return kept, rest.members
			}
			at = end + 1
		}
	}
	return lines, 0
}

// roomForOthers is how long a baggage header may be for the longest token to have room behind it.
const roomForOthers = maxHeaderBytes - len(",") - len(memberKey) - len("=") - maxTokenBytes

// growth is by how many bytes a member may be longer when it goes on: OpenTelemetry decodes it and encodes it again, with three
// bytes in place of one that is no UTF-8.
func growth(member string) int {
	if strings.IndexByte(member, '%') < 0 {
		return 0
	}
	b, _ := baggage.Parse(member)
	return max(0, len(b.String())-len(member))
}

// withoutToken returns h without our member: h itself where it is not there.
func withoutToken(h http.Header) http.Header {
	return withBaggage(h, StripBaggage(h[baggageName]))
}

// withBaggage returns h with these lines of baggage: h itself where it has them.
func withBaggage(h http.Header, lines []string) http.Header {
	if slices.Equal(lines, h[baggageName]) {
		return h
	}
	h = maps.Clone(h)
	if len(lines) == 0 {
		delete(h, baggageName)
	} else {
		h[baggageName] = lines
	}
	return h
}
