package audithttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

type middleware = func(http.Handler) http.Handler

// chiContext is what doc.go recommends around a chi router that is not outermost.
func chiContext(router chi.Routes, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rctx := chi.NewRouteContext()
		rctx.Routes = router
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, rctx)))
	})
}

func chiPattern(r *http.Request) string { return chi.RouteContext(r.Context()).RoutePattern() }

// nestedChi returns a router with a subrouter.
func nestedChi(h http.Handler, use ...middleware) *chi.Mux {
	router := chi.NewRouter()
	router.Use(use...)
	router.Method(http.MethodGet, "/", h)
	router.Route("/api", func(api chi.Router) {
		api.Route("/v{version}", func(v chi.Router) { v.Method(http.MethodGet, "/invoices/{id:[0-9]+}", h) })
	})
	router.Mount("/files", http.StripPrefix("/files", h))
	return router
}

func TestRoute(t *testing.T) {
	t.Parallel()
	plain := audithttp.NewMiddleware(actorOf(otelaudit.User("alice")))
	withRoute := audithttp.NewMiddleware(nil, audithttp.WithRoute(chiPattern))
	mux := func(pattern string, h http.Handler) *http.ServeMux {
		mux := http.NewServeMux()
		mux.Handle(pattern, h)
		return mux
	}
	const invoice, invoiceRoute = "/api/v2/invoices/42", "/api/v{version}/invoices/{id:[0-9]+}"
	outside := func(mw middleware) http.Handler {
		router := nestedChi(tracking())
		return chiContext(router, mw(router))
	}
	for name, tc := range map[string]struct {
		h            http.Handler
		target, want string
	}{
		"no router":                     {plain(tracking()), "/x", ""},
		"around ServeMux":               {plain(mux("/invoices/{id}", tracking())), "/invoices/42", "/invoices/{id}"},
		"method":                        {plain(mux("GET /invoices/{id}", tracking())), "/invoices/42", "/invoices/{id}"},
		"host":                          {plain(mux("example.com/invoices/{id}", tracking())), "http://example.com/invoices/42", "/invoices/{id}"},
		"method and host":               {plain(mux("GET example.com/invoices/{id}", tracking())), "http://example.com/invoices/42", "/invoices/{id}"},
		"white space":                   {plain(mux("GET \t /files/{path...}", tracking())), "/files/a/b", "/files/{path...}"},
		"end":                           {plain(mux("/{$}", tracking())), "/", "/{$}"},
		"around nested ServeMux":        {plain(mux("/invoices/", mux("/invoices/{id}", tracking()))), "/invoices/42", "/invoices/{id}"},
		"around StripPrefix":            {plain(mux("/api/", http.StripPrefix("/api", mux("/invoices/{id}", tracking())))), "/api/invoices/42", "/api/"},
		"within ServeMux":               {mux("GET /invoices/{id}", plain(tracking())), "/invoices/42", "/invoices/{id}"},
		"within TimeoutHandler":         {http.TimeoutHandler(plain(mux("/x/{id}", tracking())), time.Minute, ""), "/x/1", "/x/{id}"},
		"used by chi":                   {nestedChi(tracking(), plain), "/", "/"},
		"used by chi, nested":           {nestedChi(tracking(), plain), invoice, invoiceRoute},
		"used by chi, mounted":          {nestedChi(tracking(), plain), "/files/a", "/files/*"},
		"used by chi, WithRoute":        {nestedChi(tracking(), withRoute), invoice, invoiceRoute},
		"within chi, one route":         {nestedChi(plain(tracking())), invoice, invoiceRoute},
		"around chi, with its context":  {outside(plain), invoice, invoiceRoute},
		"around chi, context and func":  {outside(withRoute), invoice, invoiceRoute},
		"around chi, without":           {plain(nestedChi(tracking())), invoice, ""},
		"around chi, WithRoute, nil":    {withRoute(nestedChi(tracking())), invoice, ""},
		"WithRoute is silent":           {withRoute(mux("/x/{id}", tracking())), "/x/1", "/x/{id}"},
		"twice, the inner one counts":   {plain(nestedChi(tracking(), plain)), invoice, invoiceRoute},
		"a pattern that is not a route": {naming("invoices.show", plain(tracking())), "/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			resp := get(t, m.into(tc.h), tc.target)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, tc.want, m.only(t).Request.Route)
		})
	}
}

// naming is a router that has names for its routes.
func naming(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = name
		h.ServeHTTP(w, r)
	})
}

// Middleware between ours and the router tracks before there is a route, and after.
func TestRouteIsReadWhenTracked(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	mux := http.NewServeMux()
	mux.Handle("/x/{id}", tracking())
	around := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracking().ServeHTTP(w, r)
		mux.ServeHTTP(w, r)
		tracking().ServeHTTP(w, r)
	})
	get(t, m.into(audithttp.NewMiddleware(nil)(around)), "/x/1")
	var routes []string
	for _, r := range m.all() {
		routes = append(routes, r.Request.Route)
	}
	require.Equal(t, []string{"", "/x/{id}", "/x/{id}"}, routes)
}

// Goroutines may outlive the request. chi's context then serves another request already.
func TestRouteIsFixedWhenTheHandlerReturned(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]audithttp.Option{
		"pattern":   nil,
		"WithRoute": {audithttp.WithRoute(chiPattern)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			release, done := make(chan struct{}), make(chan error)
			router := chi.NewRouter()
			router.Use(audithttp.NewMiddleware(actorOf(otelaudit.User("alice")), opts...))
			router.Get("/slow/{id}", func(_ http.ResponseWriter, r *http.Request) {
				go func() {
					done <- otelaudit.Track(r.Context(), otelaudit.Activity{Action: "while.running"})
					<-release
					done <- otelaudit.Track(r.Context(), otelaudit.Activity{Action: "when.over"})
				}()
			})
			router.Get("/other/{id}", func(http.ResponseWriter, *http.Request) {})
			h := m.into(router)
			get(t, h, "/slow/1")
			require.NoError(t, <-done) // perhaps while the handler was still running: the race detector has seen both
			for range 10 {             // one of these has the recycled chi.Context
				get(t, h, "/other/1")
			}
			close(release)
			require.NoError(t, <-done)
			for _, r := range m.all() {
				require.Equal(t, "/slow/{id}", r.Request.Route, r.Action)
			}
		})
	}
}

// Many goroutines of one request track while it ends.
func TestRouteWhileTheHandlerReturns(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	const n = 32
	done := make(chan error, n)
	mux := http.NewServeMux()
	mux.HandleFunc("/x/{id}", func(_ http.ResponseWriter, r *http.Request) {
		for range n {
			go func() { done <- otelaudit.Track(r.Context(), otelaudit.Activity{Action: "x.do"}) }()
		}
	})
	get(t, m.into(audithttp.NewMiddleware(nil)(mux)), "/x/1")
	for range n {
		require.NoError(t, <-done)
	}
	for _, r := range m.all() {
		require.Equal(t, "/x/{id}", r.Request.Route)
	}
}

func TestRouteIsFixedAfterAPanic(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	var ctx context.Context
	mux := http.NewServeMux()
	mux.HandleFunc("/x/{id}", func(_ http.ResponseWriter, r *http.Request) {
		ctx = r.Context()
		panic("handler")
	})
	h := m.into(audithttp.NewMiddleware(nil)(mux))
	require.Panics(t, func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x/1", http.NoBody))
	})
	require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "x.clean"}))
	require.Equal(t, "/x/{id}", m.only(t).Request.Route)
}
