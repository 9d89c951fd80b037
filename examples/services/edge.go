package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// edgeServer is the door to the outside, and the only service that knows people: the others know what it says of them.
type edgeServer struct {
	orders string // its URL
	client *http.Client

	mu       sync.Mutex                 // guards what follows
	sessions map[string]otelaudit.Actor // by their token
}

func newEdge(next string) (server, error) {
	// Only to this origin goes a token, and it is for orders.
	ordersURL := "http://" + next
	base := otelhttp.NewTransport(propagation.HideToken(http.DefaultTransport))
	transport, err := propagation.NewTransport(base, map[string]string{ordersURL: orders})
	if err != nil {
		return server{}, err
	}
	e := &edgeServer{
		orders:   ordersURL,
		client:   &http.Client{Transport: transport},
		sessions: map[string]otelaudit.Actor{},
	}
	mux := http.NewServeMux()
	mux.Handle("POST /login", endpoint(e.login))
	mux.Handle("POST /checkout", endpoint(e.checkout))
	audit := audithttp.NewMiddleware(e.actor, audithttp.WithChallenge("Bearer"))
	public := otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }) // a trace of our own for each request
	// Edge is outermost: whatever a client puts into the place of our token is gone before anybody reads it.
	return httpServer(propagation.Edge(otelhttp.NewHandler(audit(withOperation(mux)), edge, public))), nil
}

const operationHeader = "Operation-Id"

// withOperation tells clients the operation, also where it failed: that is what they can name to support.
func withOperation(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation, _ := otelaudit.OperationFromContext(r.Context())
		w.Header().Set(operationHeader, operation)
		next.ServeHTTP(w, r)
	})
}

// actor is what the middleware asks for each request.
func (e *edgeServer) actor(r *http.Request) (otelaudit.Actor, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return otelaudit.Actor{}, nil // the middleware makes that anonymous
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	a, ok := e.sessions[strings.TrimPrefix(header, "Bearer ")]
	if !ok {
		return otelaudit.Actor{}, errCredentials // the middleware answers 401
	}
	return a, nil
}

type credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

type session struct {
	Token string `json:"token"`
}

// login knows everybody whose password is their name and "-demo". The quickstart shows how to keep passwords.
func (e *edgeServer) login(r *http.Request, in credentials) (session, error) {
	if in.User == "" || subtle.ConstantTimeCompare([]byte(in.Password), []byte(in.User+"-demo")) == 0 {
		if err := otelaudit.Track(r.Context(), otelaudit.LoginFailed("", "password", errCredentials)); err != nil {
			return session{}, err
		}
		return session{}, errCredentials
	}
	a := otelaudit.User(in.User)
	a.Tenant, a.Session, a.AuthMethod, a.Trust = "acme", rand.Text(), "password", otelaudit.TrustVerified
	if err := otelaudit.Track(r.Context(), otelaudit.LoggedIn(a, a.AuthMethod)); err != nil {
		return session{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sessions[a.Session] = a
	return session{Token: a.Session}, nil
}

type cart struct {
	Item  string `json:"item"`
	Cents int    `json:"cents"`
}

func (e *edgeServer) checkout(r *http.Request, in cart) (struct{}, error) {
	a := otelaudit.Activity{Action: "cart.checkout", Target: otelaudit.Target{Type: "item", ID: in.Item}}
	return struct{}{}, otelaudit.Do(r.Context(), a, func(ctx context.Context, _ *otelaudit.Activity) error {
		if who, _ := otelaudit.ActorFromContext(ctx); who.Type != otelaudit.ActorUser {
			return otelaudit.ErrDenied
		}
		return e.order(ctx, in)
	})
}

// order asks orders. Nothing here says on whose behalf: the context does.
func (e *edgeServer) order(ctx context.Context, in cart) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.orders+"/orders", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusForbidden:
		return otelaudit.ErrDenied
	default:
		return fmt.Errorf("orders answers %s", resp.Status)
	}
}
