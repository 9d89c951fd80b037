package propagation_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// A workload that authenticates with a JWT-SVID is the actor: the service's own authentication says so.
func ExampleSPIFFE() {
	svids, err := propagation.SPIFFE("example.org")
	if err != nil {
		panic(err)
	}
	// An actor function for audithttp.NewMiddleware. verifySVID is that of the application's library.
	actor := func(r *http.Request) (otelaudit.Actor, error) {
		claims, err := verifySVID(r)
		if err != nil || claims == nil {
			return otelaudit.Actor{}, err
		}
		id, err := svids.Identify(claims)
		return id.Actor, err
	}
	a, err := actor(&http.Request{})
	fmt.Println(a.Type, a.ID, a.Trust, err)
	// Output: service spiffe://example.org/billing verified <nil>
}

func verifySVID(*http.Request) (map[string]any, error) {
	return map[string]any{"sub": "spiffe://example.org/billing", "aud": "orders", "exp": 1443904177}, nil
}

// A transaction token says for whom something is done, and in which operation; who presents it, it does not say.
func ExampleTransactionToken() {
	claims := map[string]any{ // of a token that the application's library verified
		"txn": "97053963-771d-49cc-a4e3-20aad399c312", "sub": "d084sdrt234fsaw34tr23t", "scope": "trade.stocks",
		"req_wl": "apigateway.trust-domain.example",
	}
	id, err := propagation.TransactionToken().Identify(claims)
	if err != nil {
		panic(err)
	}
	ctx := id.Context(context.Background())

	a, _ := otelaudit.ActorFromContext(ctx)
	fmt.Println(a.Type, a.ID, a.Trust)
	fmt.Println("for", a.OnBehalfOf.Type, a.OnBehalfOf.ID)
	operation, _ := otelaudit.OperationFromContext(ctx)
	fmt.Println(operation)
	// Output:
	// service apigateway.trust-domain.example propagated
	// for user d084sdrt234fsaw34tr23t
	// 97053963-771d-49cc-a4e3-20aad399c312
}

// A source of one's own: for a gateway whose tokens name the tenant, too.
func ExampleSourceFunc() {
	var gateway propagation.Source = propagation.SourceFunc(func(claims map[string]any) (propagation.Identity, error) {
		id, err := propagation.JWT().Identify(claims)
		if err != nil {
			return propagation.Identity{}, err
		}
		id.Actor.Tenant, _ = claims["tid"].(string)
		return id, nil
	})
	id, err := gateway.Identify(map[string]any{"sub": "alice", "tid": "acme"})
	fmt.Println(id.Actor.ID, id.Actor.Tenant, err)
	// Output: alice acme <nil>
}
