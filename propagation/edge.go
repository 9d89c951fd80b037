package propagation

import (
	"crypto/rand"
	"maps"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Edge returns the handler for the door to the outside: no token comes in through it, and each request begins an operation.
// It goes around otelhttp, and around everything else that reads headers:
//
//	h = propagation.Edge(otelhttp.NewHandler(audithttp.NewMiddleware(actor)(mux), "api"))
//
// It removes our member from all lines of the request's baggage header, in whatever spelling it is there, and leaves the
// others as they are, byte for byte. It is needed although strangers cannot make tokens, because they may have found one,
// and because otelhttp.WithPublicEndpointFn stops traces, not baggage. [StripBaggage] is for servers of other protocols.
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
		inner.Header = withoutToken(r.Header)
		// What handlers leave in the copy: net/http removes the temporary files of MultipartForm.
		defer func() { r.Pattern, r.MultipartForm = inner.Pattern, inner.MultipartForm }()
		next.ServeHTTP(w, inner)
	})
}

// withoutToken returns h without our member: h itself where it is not there.
func withoutToken(h http.Header) http.Header {
	const name = "Baggage"
	var b header
	b.parse(h[name])
	if b.found == 0 {
		return h
	}
	h = maps.Clone(h)
	if len(b.rest) == 0 {
		delete(h, name)
	} else {
		h[name] = b.rest
	}
	return h
}
