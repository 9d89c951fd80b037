package propagation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// fields are the header fields that a trace was told of.
type fields struct {
	mu  sync.Mutex // guards all
	all http.Header
}

func (f *fields) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{WroteHeaderField: func(key string, values []string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all.Set(key, strings.Join(values, ","))
	}}
}

func (f *fields) get(key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all.Get(key)
}

// What traces a request, above otelhttp or within it, sees every field but the token, which is sent all the same.
func TestHideToken(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent, proto string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				sent, proto = r.Header.Get("Baggage"), r.Proto
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			within, above := fields{all: http.Header{}}, fields{all: http.Header{}}
			base := otelhttp.NewTransport(propagation.HideToken(server.Client().Transport), otelOptions(newPropagator(t, "edge"),
				otelhttp.WithClientTrace(func(context.Context) *httptrace.ClientTrace { return within.trace() }))...)
			transport, err := propagation.NewTransport(base, map[string]string{server.URL: "orders"})
			require.NoError(t, err)

			for baggage, shown := range map[string]string{"a=1": "a=1,otelaudit.actor=****", "": "otelaudit.actor=****"} {
				ctx := otelaudit.ContextWithActor(httptrace.WithClientTrace(t.Context(), above.trace()), otelaudit.User("alice"))
				if baggage != "" {
					ctx = withBaggage(t, ctx, baggage)
				}
				require.NoError(t, call(ctx, &http.Client{Transport: transport}, server.URL, http.Header{"X-Other": {"b"}}))
				require.Equal(t, http2, proto == "HTTP/2.0")
				token, _ := tokenOf(t, sent)
				require.NotEmpty(t, token)
				for _, trace := range []*fields{&within, &above} {
					require.Equal(t, shown, trace.get("Baggage"))
					require.Equal(t, "b", trace.get("X-Other"))
				}
			}
		})
	}
}

// Without a token nothing is hidden, and what traces no fields still traces the rest.
func TestHideTokenLeavesTheRest(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client := &http.Client{Transport: propagation.HideToken(server.Client().Transport)}
	seen := fields{all: http.Header{}}
	gotConn := 0
	for _, trace := range []*httptrace.ClientTrace{seen.trace(), {GotConn: func(httptrace.GotConnInfo) { gotConn++ }}, {}} {
		ctx := httptrace.WithClientTrace(t.Context(), trace)
		require.ErrorContains(t, call(ctx, client, server.URL, http.Header{"Baggage": {"a=1,b=2"}}), "404")
	}
	require.ErrorContains(t, call(t.Context(), client, server.URL), "404")
	require.Equal(t, "a=1,b=2", seen.get("Baggage"))
	require.Equal(t, 1, gotConn)
}
