// Package audithttp puts the actor and the request of net/http into the context, where [otelaudit.Track] finds them.
//
//	mw := audithttp.NewMiddleware(audithttp.FromContext(session.Actor),
//		audithttp.WithTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")))
//	h := otelhttp.NewHandler(mw(mux), "api")
//
// The actor comes from a function of the caller's: [FromContext], [BasicAuth], [ClientCertificate] and [Claims] make such
// functions, and any func(*http.Request) (otelaudit.Actor, error) is one. The middleware authenticates nobody itself, and
// authorizes nobody: a request without credentials goes on, as anonymous.
//
// It goes inside otelhttp, which starts the span and reads what other services propagated, and outside the handlers. Both
// work around a router and, in chi, within its Use. The ResponseWriter is passed on as it is.
//
// An actor that the function returns wins over one that another service propagated; [WithPropagated] lets it act on that
// one's behalf.
//
// # What is recorded of a request
//
// The method, the route's pattern, the path without the query ([WithPath] takes secrets out of it), the address of the
// client and of the connected peer, the user agent and the request id. User agent and request id are what the client
// claims. The client's address is the peer's, unless [WithTrustedProxies] names proxies that may speak for others, in the one
// header that [WithForwardedHeader] says. No other header, no query and no body is recorded.
//
// # The route
//
// A router writes the pattern that it found into Request.Pattern, where the middleware reads it when an activity is
// tracked, and once more when the handler has returned, for activities of work that outlives the request
// ([otelaudit.Detach]). A goroutine that is started before routing is done must not track before it is.
//
// A router that copies the request keeps the pattern to itself. http.ServeMux does not copy. chi does, unless the context
// has a chi.Context already. So with chi either use the middleware (and otelhttp) within the router,
//
//	r.Use(otelhttp.NewMiddleware("api"), audithttp.NewMiddleware(actor))
//
// or, where they are outside, let chi find a context:
//
//	http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		rctx := chi.NewRouteContext()
//		rctx.Routes = router
//		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, rctx)))
//	})
//
// which gives otelhttp its route as well. http.StripPrefix and http.TimeoutHandler copy the request, too: the route is then
// what was known outside of them. [WithRoute] is for routers that do not write Request.Pattern.
package audithttp
