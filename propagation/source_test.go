package propagation_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

func parseClaims(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var claims map[string]any
	require.NoError(tb, json.Unmarshal([]byte(text), &claims), text)
	return claims
}

// chain returns the first of parties on behalf of the others, nearest first, all with this trust.
func chain(trust otelaudit.Trust, method string, parties ...otelaudit.Actor) otelaudit.Actor {
	var a otelaudit.Actor
	for i, next := range slices.Backward(parties) {
		next.Trust = trust
		if i < len(parties)-1 {
			next = next.For(a)
		}
		a = next
	}
	a.AuthMethod = method
	return a
}

func spiffe(tb testing.TB, domains ...string) propagation.Source {
	tb.Helper()
	s, err := propagation.SPIFFE(domains...)
	require.NoError(tb, err)
	return s
}

func TestJWT(t *testing.T) {
	t.Parallel()
	// Figures 5 and 6 of RFC 8693; package audithttp tests the rules themselves.
	for claims, want := range map[string]otelaudit.Actor{
		`{"sub": "alice"}`: chain(otelaudit.TrustVerified, "jwt", otelaudit.User("alice")),
		`{"sub": "user@example.com", "act": {"sub": "admin@example.com"}}`: chain(otelaudit.TrustVerified, "jwt",
			otelaudit.User("admin@example.com"), otelaudit.User("user@example.com")),
		`{"sub": "user@example.com",
		  "act": {"sub": "https://service16.example.com", "act": {"sub": "https://service77.example.com"}}}`: chain(otelaudit.TrustVerified, "jwt",
			otelaudit.Service("https://service16.example.com"), otelaudit.Service("https://service77.example.com"), otelaudit.User("user@example.com")),
	} {
		id, err := propagation.JWT().Identify(parseClaims(t, claims))
		require.NoError(t, err, claims)
		require.Equal(t, propagation.Identity{Actor: want}, id, claims)
	}
}

func TestSPIFFE(t *testing.T) {
	t.Parallel()
	source := spiffe(t, "example.org", "k8s-west.example_1.com")
	for _, tc := range []struct{ sub, rest string }{
		{"spiffe://example.org/billing", `"aud": "orders"`},
		{"spiffe://example.org/ns/staging/sa/default", `"aud": ["orders", "audit"]`},
		{"spiffe://k8s-west.example_1.com/Zone-A/x_1.2/...", `"aud": ["orders"], "jti": "x", "name": "no claim of ours"`},
		{"spiffe://example.org/" + strings.Repeat("a", 2048-len("spiffe://example.org/")), `"aud": "orders"`},
	} {
		id, err := source.Identify(parseClaims(t, `{"sub": "`+tc.sub+`", "exp": 1443904177, `+tc.rest+`}`))
		require.NoError(t, err, tc.sub)
		require.Equal(t, propagation.Identity{Actor: otelaudit.Actor{
			Type: otelaudit.ActorService, ID: tc.sub, AuthMethod: "jwt_svid", Trust: otelaudit.TrustVerified,
		}}, id)
	}

	id, err := source.Identify(map[string]any{"sub": "spiffe://example.org/billing", "exp": 1, "aud": []string{"orders"}})
	require.NoError(t, err, "a library may have decoded aud")
	require.Equal(t, "spiffe://example.org/billing", id.Actor.ID)
}

func TestSPIFFERefuses(t *testing.T) {
	t.Parallel()
	source := spiffe(t, "example.org", strings.Repeat("d", 255))
	for _, sub := range []string{
		"billing", "example.org/billing", "https://example.org/billing", "SPIFFE://example.org/billing", "spiffe:example.org/billing",
		"spiffe://", "spiffe:///billing", "spiffe://example.org", "spiffe://example.org/", "spiffe://example.org/billing/",
		"spiffe://example.org//billing", "spiffe://example.org/./billing", "spiffe://example.org/ns/../billing", "spiffe://example.org/..",
		"spiffe://Example.org/billing", "spiffe://example.org:443/billing", "spiffe://user@example.org/billing", "spiffe://example.org%2f/billing",
		"spiffe://example.org/bill%69ng", "spiffe://example.org/billing?x=1", "spiffe://example.org/billing#x", "spiffe://example.org/bil ling",
		"spiffe://example.org/bil\x00ling", "spiffe://example.org/bil\nling", "spiffe://example.org/bílling", "spiffe://exämple.org/billing",
		"spiffe://example.org/bil\xffling", " spiffe://example.org/billing", "spiffe://example.org/billing ", "spiffe://example.org\\billing",
		"spiffe://example.org/" + strings.Repeat("a", 2049-len("spiffe://example.org/")), "spiffe://" + strings.Repeat("d", 256) + "/billing",
	} {
		requireRefused(t, source, map[string]any{"sub": sub, "aud": "orders", "exp": 1.0}, "claim sub is no SPIFFE ID of a workload")
	}
	for _, sub := range []string{
		"spiffe://example.com/billing", "spiffe://sub.example.org/billing", "spiffe://example.org./billing", "spiffe://evil-example.org/billing",
	} {
		requireRefused(t, source, map[string]any{"sub": sub, "aud": "orders", "exp": 1.0}, "trust domain that is not trusted")
	}
	for claims, want := range map[string]string{
		`{}`: "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1}`:                                "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1, "aud": null}`:                   "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1, "aud": ""}`:                     "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1, "aud": []}`:                     "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1, "aud": ["orders", ""]}`:         "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1, "aud": ["orders", 1]}`:          "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "exp": 1, "aud": {"orders": true}}`:       "claim aud names no audience",
		`{"sub": "spiffe://example.org/billing", "aud": "orders"}`:                         "claim exp is missing",
		`{"sub": "spiffe://example.org/billing", "aud": "orders", "exp": null}`:            "claim exp is missing",
		`{"aud": "orders", "exp": 1}`:                                                      "claim sub is missing",
		`{"sub": "", "aud": "orders", "exp": 1}`:                                           "claim sub is missing or empty",
		`{"sub": ["spiffe://example.org/billing"], "aud": "orders", "exp": 1}`:             "claim sub is []interface {}, not a string",
		`{"sub": "spiffe://example.org/billing", "aud": "o", "exp": 1, "act": {"sub":""}}`: "claim act is no part",
	} {
		requireRefused(t, source, parseClaims(t, claims), want)
	}
}

func TestSPIFFETrustDomains(t *testing.T) {
	t.Parallel()
	for _, domains := range [][]string{
		nil,
		{""},
		{"Example.org"},
		{"spiffe://example.org"},
		{"example.org/billing"},
		{"example.org:443"},
		{"*.example.org"},
		{"example.org", "exämple.org"},
		{strings.Repeat("d", 256)},
	} {
		s, err := propagation.SPIFFE(domains...)
		require.ErrorContains(t, err, "propagation: SPIFFE", "%q", domains)
		require.Nil(t, s, "%q", domains)
	}
	domains := []string{"example.org"}
	source := spiffe(t, domains...)
	domains[0] = "example.com"
	_, err := source.Identify(parseClaims(t, `{"sub": "spiffe://example.org/billing", "aud": "orders", "exp": 1}`))
	require.NoError(t, err, "the list is the source's own")
}

func TestTransactionToken(t *testing.T) {
	t.Parallel()
	gateway, workload3 := otelaudit.Service("apigateway.trust-domain.example"), otelaudit.Service("workload3.trust-domain.example")
	user := otelaudit.User("d084sdrt234fsaw34tr23t")
	token := func(parties ...otelaudit.Actor) otelaudit.Actor {
		return chain(otelaudit.TrustPropagated, "transaction_token", parties...)
	}
	for name, tc := range map[string]struct {
		claims string
		want   propagation.Identity
	}{
		"the draft's example": {
			`{"iat": 1686536226, "aud": "trust-domain.example", "exp": 1686536586, "txn": "97053963-771d-49cc-a4e3-20aad399c312",
			  "sub": "d084sdrt234fsaw34tr23t", "req_wl": "apigateway.trust-domain.example",
			  "rctx": {"req_ip": "69.151.72.123", "authn": "urn:ietf:rfc:6749"},
			  "scope": "trade.stocks",
			  "tctx": {"action": "BUY", "ticker": "MSFT", "quantity": "100", "customer_type": {"geo": "US", "level": "VIP"}}}`,
			propagation.Identity{
				Actor:     token(gateway, otelaudit.Actor{Type: otelaudit.ActorUser, ID: user.ID, AuthMethod: "urn:ietf:rfc:6749"}),
				Operation: "97053963-771d-49cc-a4e3-20aad399c312",
				Reason:    "trade.stocks",
			},
		},
		"an earlier draft": {
			`{"txn": "1", "sub": "d084sdrt234fsaw34tr23t", "purp": "trade", "req_wl": ["apigateway.trust-domain.example", "workload3.trust-domain.example"]}`,
			propagation.Identity{Actor: token(workload3, gateway, user), Operation: "1", Reason: "trade"},
		},
		"a job of its own": {
			`{"txn": "1", "sub": "apigateway.trust-domain.example", "req_wl": "apigateway.trust-domain.example", "scope": "nightly"}`,
			propagation.Identity{Actor: token(gateway), Operation: "1", Reason: "nightly"},
		},
		"an agent": {
			`{"txn": "1", "sub": "d084sdrt234fsaw34tr23t", "act": {"client_id": "agent-1"}, "req_wl": "apigateway.trust-domain.example", "rctx": {}}`,
			propagation.Identity{Actor: token(gateway, otelaudit.Service("agent-1"), user), Operation: "1"},
		},
		"scope before purp": {
			`{"txn": "1", "sub": "d084sdrt234fsaw34tr23t", "purp": "p", "scope": "s", "req_wl": "apigateway.trust-domain.example"}`,
			propagation.Identity{Actor: token(gateway, user), Operation: "1", Reason: "s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := propagation.TransactionToken().Identify(parseClaims(t, tc.claims))
			require.NoError(t, err)
			require.Equal(t, tc.want, id)
		})
	}
}

func TestTransactionTokenRefuses(t *testing.T) {
	t.Parallel()
	many := `"` + strings.Repeat(`w", "`, otelaudit.MaxChain) + `w"`
	for claims, want := range map[string]string{
		`{}`:                                                                  "claim txn is missing",
		`{"txn": 1, "sub": "a", "req_wl": "w"}`:                               "claim txn is float64, not a string",
		`{"txn": "", "sub": "a", "req_wl": "w"}`:                              "claim txn is missing or empty",
		`{"txn": "1", "req_wl": "w"}`:                                         "claim sub is missing",
		`{"txn": "1", "client_id": "a", "req_wl": "w"}`:                       "claim sub is missing",
		`{"txn": "1", "sub": {"s3cret": 1}, "req_wl": "w"}`:                   "claim sub is map[string]interface {}, not a string",
		`{"txn": "1", "sub": "s3cret"}`:                                       "claim req_wl is missing",
		`{"txn": "1", "sub": "s3cret", "req_wl": ""}`:                         "claim req_wl is missing or empty",
		`{"txn": "1", "sub": "s3cret", "req_wl": []}`:                         "claim req_wl names 0 workloads",
		`{"txn": "1", "sub": "s3cret", "req_wl": [` + many + `]}`:             "claim req_wl names 9 workloads",
		`{"txn": "1", "sub": "s3cret", "req_wl": ["w", ["s3cret"]]}`:          "claim req_wl[1] is not a name",
		`{"txn": "1", "sub": "s3cret", "req_wl": {"s3cret": 1}}`:              "claim req_wl is map[string]interface {}, not a string",
		`{"txn": "1", "sub": "s3cret", "req_wl": "w", "scope": ["s3cret"]}`:   "claim scope is []interface {}, not a string",
		`{"txn": "1", "sub": "s3cret", "req_wl": "w", "purp": 1}`:             "claim purp is float64",
		`{"txn": "1", "sub": "s3cret", "req_wl": "w", "rctx": "s3cret"}`:      "claim rctx is string, not an object",
		`{"txn": "1", "sub": "s3cret", "req_wl": "w", "rctx": {"authn": []}}`: "in rctx: claim authn is []interface {}",
		`{"txn": "1", "sub": "s3cret", "req_wl": "w", "act": "s3cret"}`:       "claim act is string, not an object",
		`{"txn": "1", "req_wl": "w", ` + nested(otelaudit.MaxChain)[1:]:       "claims req_wl and act name more than 9 parties",
		`{"txn": "1", "req_wl": "w", ` + nested(1000)[1:]:                     "more than 8 nested act claims",
	} {
		requireRefused(t, propagation.TransactionToken(), parseClaims(t, claims), want)
	}
}

// nested returns claims with n acts.
func nested(n int) string {
	return `{"sub": "alice"` + strings.Repeat(`, "act": {"sub": "bob"`, n) + strings.Repeat("}", n+1)
}

// requireRefused checks that source makes nobody of claims, and that its error repeats nothing of them.
func requireRefused(t *testing.T, source propagation.Source, claims map[string]any, want string) {
	t.Helper()
	id, err := source.Identify(claims)
	require.ErrorContains(t, err, want, "%q", claims)
	require.Zero(t, id, "%q", claims)
	require.NotContains(t, err.Error(), "s3cret")
	require.NotContains(t, err.Error(), "billing")
}

func TestIdentityContext(t *testing.T) {
	t.Parallel()
	before := otelaudit.ContextWithActor(t.Context(), otelaudit.User("bob"))
	before = otelaudit.ContextWithOperation(before, "op-1")
	before = otelaudit.ContextWithReason(before, "why")

	require.Equal(t, [3]string{"bob", "op-1", "why"}, said(propagation.Identity{}.Context(before)))
	require.Equal(t, [3]string{"alice", "op-2", "because"}, said(propagation.Identity{
		Actor: otelaudit.User("alice"), Operation: "op-2", Reason: "because",
	}.Context(before)))
	require.Equal(t, [3]string{"alice", "op-1", "why"}, said(propagation.Identity{Actor: otelaudit.User("alice")}.Context(before)))
}

// said returns the ids of ctx's actor and operation, and its reason.
func said(ctx context.Context) [3]string {
	a, _ := otelaudit.ActorFromContext(ctx)
	operation, _ := otelaudit.OperationFromContext(ctx)
	reason, _ := otelaudit.ReasonFromContext(ctx)
	return [3]string{a.ID, operation, reason}
}

func TestSourceFunc(t *testing.T) {
	t.Parallel()
	expired := errors.New("expired")
	var source propagation.Source = propagation.SourceFunc(func(claims map[string]any) (propagation.Identity, error) {
		return propagation.Identity{Operation: claims["op"].(string)}, expired
	})
	id, err := source.Identify(map[string]any{"op": "1"})
	require.Equal(t, propagation.Identity{Operation: "1"}, id)
	require.Equal(t, expired, err)
}

func FuzzSources(f *testing.F) {
	f.Add([]byte(`{"sub": "alice", "name": "A\u0000", "sid": "\ud800", "act": {"iss": "i", "sub": "bob", "act": {"client_id": "x"}}}`))
	f.Add([]byte(`{"sub": "spiffe://example.org/billing", "aud": ["orders"], "exp": 1}`))
	f.Add([]byte(`{"txn": "1\u0000", "sub": "a", "req_wl": ["w", "x"], "scope": "s", "rctx": {"authn": "b"}, "act": {"sub": "anonymous"}}`))
	f.Add([]byte(nested(otelaudit.MaxChain + 1)))
	sources := map[otelaudit.Trust][]propagation.Source{
		otelaudit.TrustVerified:   {propagation.JWT(), spiffe(f, "example.org")},
		otelaudit.TrustPropagated: {propagation.TransactionToken()},
	}
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{RequireActor: true})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		var claims map[string]any
		if json.Unmarshal(text, &claims) != nil {
			return
		}
		for trust, sources := range sources {
			for _, source := range sources {
				id, err := source.Identify(claims)
				if err != nil {
					require.Zero(t, id)
					require.Regexp(t, `^[ -~]{1,120}$`, err.Error())
					continue
				}
				for a := &id.Actor; a != nil; a = a.OnBehalfOf {
					require.Equal(t, trust, a.Trust)
					require.NotEmpty(t, a.ID)
				}
				// What came through is an actor that a trail records, whatever the texts are.
				var r otelaudit.Record
				_, err = recorder.Record(id.Context(t.Context()), &otelaudit.Activity{Action: "x.do"}, &r)
				require.NoError(t, err)
				require.NotEqual(t, otelaudit.ActorUnknown, r.Actor.Type)
			}
		}
	})
}
