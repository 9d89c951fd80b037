package propagation_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// composite returns the propagators of a service.
func composite(service string) (otelpropagation.TextMapPropagator, error) {
	// In a service: Reload with KeysFromFile or KeysFromEnv.
	key, err := propagation.HMACKey("2026-01", []byte("a secret that all of the trust group share"))
	if err != nil {
		return nil, err
	}
	keys, err := propagation.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	p, err := propagation.New(propagation.Config{Service: service, Keys: keys})
	if err != nil {
		return nil, err
	}
	return otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, p), nil
}

// startOrders starts the service orders, which prints who called it.
func startOrders() (*httptest.Server, error) {
	propagators, err := composite("orders")
	if err != nil {
		return nil, err
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, _ := otelaudit.ActorFromContext(r.Context())
		_, _ = fmt.Fprintf(w, "%s %s for %s %s, %s", actor.Type, actor.ID, actor.OnBehalfOf.Type, actor.OnBehalfOf.ID, actor.Trust)
	})
	return httptest.NewServer(otelhttp.NewHandler(h, "orders", otelhttp.WithPropagators(propagators))), nil
}

// Alice calls edge, and edge calls orders, which says who that was.
func Example() {
	orders, err := startOrders()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orders.Close()

	propagators, err := composite("edge")
	if err != nil {
		fmt.Println(err)
		return
	}
	base := otelhttp.NewTransport(propagation.HideToken(http.DefaultTransport), otelhttp.WithPropagators(propagators))
	transport, err := propagation.NewTransport(base, map[string]string{orders.URL: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: transport}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(_ http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, orders.URL, http.NoBody)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := client.Do(out)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(os.Stdout, resp.Body)
	})
	session := func(context.Context) (otelaudit.Actor, bool) { return otelaudit.User("alice"), true }
	h := audithttp.NewMiddleware(audithttp.FromContext(session))(mux)
	h = propagation.Edge(otelhttp.NewHandler(h, "edge", otelhttp.WithPropagators(propagators)))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody))
	// Output:
	// service edge for user alice, propagated
}

func ExampleEdge() {
	h := propagation.Edge(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		operation, _ := otelaudit.OperationFromContext(r.Context())
		fmt.Println(r.Header["Baggage"], len(operation))
	}))
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	r.Header.Set("Baggage", "flavour=vanilla,otelaudit.actor=r1.stolen.token.x")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// [flavour=vanilla] 26
}

func ExampleNewTransport() {
	base := otelhttp.NewTransport(propagation.HideToken(http.DefaultTransport))
	_, err := propagation.NewTransport(base, map[string]string{"https://orders.internal:8443/api": "orders"})
	fmt.Println(err)
	// Output:
	// propagation: NewTransport: https://orders.internal:8443 has more than an origin: leave out user, path, query and fragment
}

func ExampleTrackRejected() {
	h := propagation.TrackRejected(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		actor, known := otelaudit.ActorFromContext(r.Context())
		rejection, _ := propagation.RejectionFromContext(r.Context())
		fmt.Println(actor.ID, known, rejection)
	}))
	trail := printing{}
	r := httptest.NewRequestWithContext(otelaudit.ContextWithTrail(context.Background(), trail), http.MethodGet, "/", http.NoBody)
	r.Header.Set("Baggage", "otelaudit.actor=made.up")
	orders, err := composite("orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := orders.Extract(r.Context(), otelpropagation.HeaderCarrier(r.Header))
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	// Output:
	// recorded: otelaudit.actor_token.reject denied anonymous
	//  false malformed
}

// printing is a trail that prints.
type printing struct{}

func (printing) Track(_ context.Context, a otelaudit.Activity) (otelaudit.Receipt, error) {
	_, _ = fmt.Fprintln(os.Stdout, "recorded:", a.Action, a.Outcome, a.Actor.Type)
	return otelaudit.Receipt{}, nil
}

func (printing) TrackAll(context.Context, []otelaudit.Activity) ([]otelaudit.Receipt, error) {
	return nil, nil
}
