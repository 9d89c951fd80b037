package propagation

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
)

// HideToken returns a RoundTripper that sends requests with base, and hides our member from whoever traces them with
// net/http/httptrace: what is told which header fields were written sees "otelaudit.actor=****" in its place. It goes directly
// below what injects:
//
//	base := otelhttp.NewTransport(propagation.HideToken(http.DefaultTransport),
//		otelhttp.WithClientTrace(func(ctx context.Context) *httptrace.ClientTrace { return otelhttptrace.NewClientTrace(ctx) }))
//
// Without it otelhttptrace writes the whole token into the span, unless otelhttptrace.WithRedactedHeaders names "baggage".
// A RoundTripper further below that writes headers down sees the token as it is sent.
func HideToken(base http.RoundTripper) http.RoundTripper { return hidingTransport{base} }

type hidingTransport struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t hidingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	traced := httptrace.ContextClientTrace(r.Context())
	if traced == nil || traced.WroteHeaderField == nil {
		return t.base.RoundTrip(r)
	}
	hiding := *traced // what is in the context is its maker's, who may have others look at it
	hiding.WroteHeaderField = func(key string, values []string) {
		if strings.EqualFold(key, baggageHeader) {
			values = hideToken(values)
		}
		traced.WroteHeaderField(key, values)
	}
	return t.base.RoundTrip(r.WithContext(hidingContext{r.Context(), &hiding}))
}

// hideToken returns values with a word in place of our member.
func hideToken(values []string) []string {
	var h header
	h.parse(values)
	if h.found == 0 {
		return values
	}
	return append(slices.Clip(h.rest), memberKey+"=****")
}

// hidingContext has another trace in place of the one that its parent has: httptrace.WithClientTrace would have both see the
// request.
type hidingContext struct {
	context.Context //nolint:containedctx // its parent

	trace *httptrace.ClientTrace
}

// Value implements [context.Context].
func (c hidingContext) Value(key any) any {
	value := c.Context.Value(key)
	if _, ok := value.(*httptrace.ClientTrace); ok {
		return c.trace
	}
	return value
}
