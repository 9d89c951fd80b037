package audithttp_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

func BenchmarkMiddleware(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	trust := audithttp.WithTrustedProxies(netip.MustParsePrefix("10.0.0.0/8"))
	for name, h := range map[string]http.Handler{
		"facts": audithttp.NewMiddleware(nil)(next),
		"actor": audithttp.NewMiddleware(actorOf(otelaudit.User("alice")))(next),
		"proxy": audithttp.NewMiddleware(actorOf(otelaudit.User("alice")), trust)(next),
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/invoices/42", http.NoBody)
			r.RemoteAddr = "10.0.0.1:4711"
			r.Header.Set("User-Agent", "curl/8")
			r.Header.Set("X-Forwarded-For", "198.51.100.9, 10.0.0.2")
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkHostileForwardedFor is a header of a megabyte: what it costs must not grow with it.
func BenchmarkHostileForwardedFor(b *testing.B) {
	trust := audithttp.WithTrustedProxies(netip.MustParsePrefix("10.0.0.0/8"))
	h := audithttp.NewMiddleware(nil, trust)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	lines := make([]string, 100_000)
	for i := range lines {
		lines[i] = "10.0.0.2"
	}
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header["X-Forwarded-For"] = lines
	w := httptest.NewRecorder()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
