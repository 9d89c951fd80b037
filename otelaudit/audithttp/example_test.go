package audithttp_test

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

// whoAndWhere says what the middleware put into the context: what Track would record.
func whoAndWhere(ctx context.Context) string {
	actor, _ := otelaudit.ActorFromContext(ctx)
	request, _ := otelaudit.RequestFromContext(ctx)
	return fmt.Sprintln(actor.Type, actor.ID, actor.Trust, actor.AuthMethod) +
		fmt.Sprintln(request.Method, request.RouteFunc(), request.Path, request.ClientAddress)
}

type sessionKey struct{}

// session is the application's own: its login middleware leaves it in the context.
type session struct{ id, userID string }

func actorOfSession(ctx context.Context) (otelaudit.Actor, bool) {
	s, ok := ctx.Value(sessionKey{}).(session)
	return otelaudit.Actor{Type: otelaudit.ActorUser, ID: s.userID, Session: s.id, AuthMethod: "password"}, ok
}

func ExampleNewMiddleware() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /invoices/{id}", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Print(whoAndWhere(r.Context()))
	})
	audit := audithttp.NewMiddleware(audithttp.FromContext(actorOfSession),
		audithttp.WithTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")))
	h := audit(mux) // in a service: otelhttp.NewHandler(audit(mux), "api")

	r := httptest.NewRequest(http.MethodGet, "/invoices/42?secret=1", http.NoBody)
	r.RemoteAddr = "10.0.0.1:4711" // our proxy
	r.Header.Set("X-Forwarded-For", "203.0.113.66, 198.51.100.9")
	r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, session{"s-1", "u-7"}))
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// user u-7 verified password
	// GET /invoices/{id} /invoices/42 198.51.100.9
}

func ExampleBasicAuth() {
	check := func(_ context.Context, user, password string) (otelaudit.Actor, error) {
		right := subtle.ConstantTimeCompare([]byte(user), []byte("ops")) &
			subtle.ConstantTimeCompare([]byte(password), []byte("hunter2"))
		if right != 1 {
			return otelaudit.Actor{}, errors.New("wrong user or password")
		}
		return otelaudit.User("u-1"), nil
	}
	audit := audithttp.NewMiddleware(audithttp.BasicAuth(check),
		audithttp.WithChallenge(`Basic realm="ops", charset="UTF-8"`))
	h := audit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Print(whoAndWhere(r.Context()))
	}))

	for _, password := range []string{"guess", "hunter2"} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.SetBasicAuth("ops", password)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header())
	}
	// Output:
	// 401 map[Content-Type:[text/plain; charset=utf-8] Www-Authenticate:[Basic realm="ops", charset="UTF-8"] X-Content-Type-Options:[nosniff]]
	// user u-1 verified basic
	// GET  / 192.0.2.1
	// 200 map[]
}

func ExampleClientCertificate() {
	// The default takes the certificate's one URI or DNS name. Ours has a serial number in its subject.
	actor := audithttp.ClientCertificate(func(cert *x509.Certificate) (otelaudit.Actor, error) {
		if cert.Subject.SerialNumber == "" {
			return otelaudit.Actor{}, errors.New("no serial number in the subject")
		}
		return otelaudit.User(cert.Subject.SerialNumber), nil
	})
	h := audithttp.NewMiddleware(actor)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Print(whoAndWhere(r.Context()))
	}))

	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	cert := &x509.Certificate{Subject: pkix.Name{SerialNumber: "card-7"}}
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}} // as crypto/tls leaves it
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// user card-7 verified mtls
	// GET  / 192.0.2.1
}

func ExampleClaims() {
	verify := func(r *http.Request) (map[string]any, error) {
		if r.Header.Get("Authorization") == "" {
			return nil, nil // no token
		}
		// Here a JWT library checks signature, issuer, audience and times.
		return map[string]any{"sub": "alice", "act": map[string]any{"sub": "support-7", "name": "Sam"}}, nil
	}
	audit := audithttp.NewMiddleware(audithttp.Claims(verify, audithttp.WithAuthMethod("oidc")))
	h := audit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Print(whoAndWhere(r.Context()))
	}))

	r := httptest.NewRequest(http.MethodPost, "/refunds", http.NoBody)
	r.Header.Set("Authorization", "Bearer …")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// user support-7 verified oidc
	// POST  /refunds 192.0.2.1
}

// A token that was exchanged twice on its way (RFC 8693): the chain is nearest first.
func ExampleActorFromClaims() {
	actor, err := audithttp.ActorFromClaims(map[string]any{
		"sub": "user@example.com",
		"act": map[string]any{
			"sub": "https://service16.example.com",
			"act": map[string]any{"sub": "https://service77.example.com"},
		},
	})
	if err != nil {
		panic(err)
	}
	for a := &actor; a != nil; a = a.OnBehalfOf {
		fmt.Println(a.Type, a.ID)
	}
	// Output:
	// service https://service16.example.com
	// service https://service77.example.com
	// user user@example.com
}
