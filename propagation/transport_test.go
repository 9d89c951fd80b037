package propagation_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// roundTrip is a base that keeps the audience of the request it was given.
type roundTrip struct {
	audience string
	request  *http.Request
}

func (rt *roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	rt.audience, rt.request = propagation.AudienceFromContext(r.Context()), r
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

func TestTransportNamesTheAudience(t *testing.T) {
	t.Parallel()
	audiences := map[string]string{
		"https://orders.internal":          "orders",
		"https://Billing.Internal:8443":    "billing",
		"http://127.0.0.1:8080":            "local",
		"HTTP://[2001:db8::1]":             "six",
		"https://[FE80::1%25eth0]:443":     "zone",
		"https://xn--bcher-kva.example":    "books",
		"https://orders.internal:8443":     "orders-admin",
		"http://orders.internal:443":       "orders-plain",
		"https://a-b.c_d.internal:0008443": "odd",
	}
	for target, want := range map[string]string{
		"https://orders.internal":                          "orders",
		"https://orders.internal/":                         "orders",
		"https://orders.internal:443/a?b#c":                "orders",
		"https://orders.internal:/":                        "orders",
		"HTTPS://ORDERS.Internal/":                         "orders",
		"https://orders.internal:8443/":                    "orders-admin",
		"http://orders.internal:443/":                      "orders-plain",
		"https://user:password@orders.internal/":           "orders",
		"https://billing.internal:8443/":                   "billing",
		"http://127.0.0.1:8080/":                           "local",
		"http://[2001:DB8::1]:80/":                         "six",
		"https://[fe80::1%25eth0]/":                        "zone",
		"https://xn--bcher-kva.example/":                   "books",
		"http://orders.internal/":                          "",
		"http://orders.internal:80/":                       "",
		"https://orders.internal:444/":                     "",
		"https://orders.internal:0443/":                    "",
		"https://orders.internal./":                        "",
		"https://orders.internal.evil.example/":            "",
		"https://evil.orders.internal/":                    "",
		"https://orders.internal@evil.example/":            "",
		"https://orders.internal:443@evil.example/":        "",
		"https://evil.example/https://orders.internal/":    "",
		"https://evil.example?https://orders.internal/":    "",
		"https://evil.example#@orders.internal/":           "",
		"https://billing.internal/":                        "",
		"http://billing.internal:8443/":                    "",
		"http://127.1:8080/":                               "",
		"http://localhost:8080/":                           "",
		"http://[::ffff:127.0.0.1]:8080/":                  "",
		"http://2130706433:8080/":                          "",
		"http://[2001:db8:0::1]/":                          "",
		"https://[fe80::1%25eth1]/":                        "",
		"https://b\u00fccher.example/":                     "",
		"https://orders\u3002internal/":                    "",
		"https://\uff4frders.internal/":                    "",
		"https://billing.internal:8443:8443/":              "",
		"ftp://orders.internal/":                           "",
		"wss://orders.internal/":                           "",
		"//orders.internal/":                               "",
		"/":                                                "",
		"https:orders.internal":                            "",
		"https:///orders.internal":                         "",
		"https://orders.internal%2e/":                      "",
		"https://a-b.c_d.internal:8443/":                   "",
		"https://a-b.c_d.internal:0008443/":                "odd",
		"https://orders.internal" + strings.Repeat(".", 9): "",
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			base := &roundTrip{}
			transport, err := propagation.NewTransport(base, audiences)
			require.NoError(t, err)
			u, err := url.Parse(target)
			if err != nil {
				require.Empty(t, want, "a request cannot have this URL")
				return
			}
			// Also for a request in whose context somebody has left an audience.
			ctx := propagation.ContextWithAudience(t.Context(), "left behind")
			r := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}).WithContext(ctx)
			resp, err := transport.RoundTrip(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, want, base.audience)
			require.Equal(t, "left behind", propagation.AudienceFromContext(r.Context()), "the caller's request stays")
		})
	}
}

// What the answer says of its request is what the caller has made: no token, no audience, not what a proxy copied and we took
// out.
func TestTransportKeepsTheTokenOutOfTheResponse(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if token, _ := tokenOf(t, r.Header["Baggage"]...); token == "" {
			t.Error("no token was sent")
		}
	}))
	defer server.Close()
	instrumented := otelhttp.NewTransport(server.Client().Transport, otelOptions(newPropagator(t, "edge"))...)
	uninjected := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	})
	for name, base := range map[string]http.RoundTripper{"injected": instrumented, "not injected": uninjected} {
		transport, err := propagation.NewTransport(base, map[string]string{server.URL: "orders"})
		require.NoError(t, err)
		ctx := withBaggage(t, otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice")), "a=1")
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Same(t, r, resp.Request, name)
		require.Empty(t, r.Header["Baggage"], name)
		require.Empty(t, propagation.AudienceFromContext(resp.Request.Context()), name)
	}
}

// A base's error comes back where there is no response.
func TestTransportReturnsErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	transport, err := propagation.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, broken }), nil)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://orders.internal", http.NoBody)
	require.NoError(t, err)
	resp, err := transport.RoundTrip(r)
	require.ErrorIs(t, err, broken)
	require.Nil(t, resp)
}

// What answers behind a proxy is the host that the header names, not the one that the connection goes to.
func TestTransportLooksAtHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"":                     "orders",
		"orders.internal":      "orders",
		"orders.internal:443":  "orders",
		"Orders.Internal":      "orders",
		"orders.internal:8443": "",
		"evil.example":         "",
		"billing.internal":     "", // listed, but not where the connection goes
		"orders.internal.":     "",
		"évil.example":         "",
	} {
		base := &roundTrip{}
		transport, err := propagation.NewTransport(base, map[string]string{
			"https://orders.internal": "orders", "https://billing.internal": "billing",
		})
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://orders.internal/", http.NoBody)
		require.NoError(t, err)
		r.Host = host
		resp, err := transport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, base.audience, host)
	}
}

func TestTransportWithoutAURL(t *testing.T) {
	t.Parallel()
	base := &roundTrip{}
	transport, err := propagation.NewTransport(base, nil)
	require.NoError(t, err)
	r := (&http.Request{}).WithContext(t.Context())
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, r, base.request, "the base says what is wrong with it")
}

func TestNewTransportRefuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for text, want := range map[string]string{
		"orders.internal":                       "no origin",
		"orders.internal:8443":                  "no origin",
		"":                                      "no origin",
		"https://":                              "no origin",
		"https://:443":                          "no origin",
		"ftp://orders.internal":                 "no origin",
		"https://b\u00fccher.example":           "no origin",
		"https://\u212aube.internal":            "no origin",
		"https://*.internal/x":                  "more than an origin",
		"https://orders.internal/":              "more than an origin",
		"https://orders.internal?":              "more than an origin",
		"https://orders.internal?a=" + secret:   "more than an origin",
		"https://orders.internal#a":             "more than an origin",
		"https://me:" + secret + "@orders":      "more than an origin",
		"https://me:" + secret + "@orders:port": "is no URL",
	} {
		_, err := propagation.NewTransport(&roundTrip{}, map[string]string{text: "orders"})
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), secret)
	}
	_, err := propagation.NewTransport(nil, nil)
	require.ErrorContains(t, err, "otelhttp.NewTransport")
	_, err = propagation.NewTransport(&roundTrip{}, map[string]string{"https://a": ""})
	require.ErrorContains(t, err, "the audience of https://a:443 has 0 bytes")
	_, err = propagation.NewTransport(&roundTrip{}, map[string]string{"https://a": strings.Repeat("x", 129)})
	require.ErrorContains(t, err, "129 bytes")
	_, err = propagation.NewTransport(&roundTrip{}, map[string]string{"https://a": "x", "https://A:443": "y"})
	require.ErrorContains(t, err, "two audiences")
	_, err = propagation.NewTransport(&roundTrip{}, map[string]string{"https://[::1]": "x", "https://[::1]:443": "x"})
	require.NoError(t, err, "said twice")
}

func TestAudience(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	require.Empty(t, propagation.AudienceFromContext(ctx))
	require.Equal(t, ctx, propagation.ContextWithAudience(ctx, ""))
	named := propagation.ContextWithAudience(ctx, "orders")
	require.Equal(t, "orders", propagation.AudienceFromContext(named))
	require.Empty(t, propagation.AudienceFromContext(propagation.ContextWithAudience(named, "")))
	require.Equal(t, "orders", propagation.AudienceFromContext(propagation.ContextWithAudience(propagation.ContextWithAudience(named, ""), "orders")))
}

// What is below otelhttp may send requests of its own, with the context of the one that it is given.
func TestACredentialIsFetchedWithoutAToken(t *testing.T) {
	t.Parallel()
	var fetched, called []string
	idp := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fetched = r.Header["Baggage"] }))
	defer idp.Close()
	orders := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called = r.Header["Baggage"] }))
	defer orders.Close()
	w := newWorld(t, "edge")
	instrumented := func(base http.RoundTripper) http.RoundTripper {
		return otelhttp.NewTransport(base, otelhttp.WithPropagators(otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, w)))
	}
	authorised := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		fetch, err := http.NewRequestWithContext(r.Context(), http.MethodGet, idp.URL, http.NoBody)
		if err != nil {
			return nil, err
		}
		resp, err := (&http.Client{Transport: instrumented(http.DefaultTransport)}).Do(fetch)
		if err != nil {
			return nil, err
		}
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	transport, err := propagation.NewTransport(instrumented(authorised), map[string]string{orders.URL: "orders"})
	require.NoError(t, err)
	for range 2 { // each request gets its own
		r, err := http.NewRequestWithContext(contextOf(t, otelaudit.User("alice")), http.MethodGet, orders.URL, http.NoBody)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: transport}).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Empty(t, fetched)
		token, _ := tokenOf(t, called...)
		require.NotEmpty(t, token)
	}
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
