package audithttp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

func parse(t *testing.T, claims string) map[string]any {
	t.Helper()
	var parsed map[string]any
	require.NoError(t, json.Unmarshal([]byte(claims), &parsed))
	return parsed
}

// verified returns an actor as the claims of a token name it: chain is nearest first, the first one presented it.
func verified(chain ...otelaudit.Actor) otelaudit.Actor {
	var a otelaudit.Actor
	for i, next := range slices.Backward(chain) {
		next.Trust = otelaudit.TrustVerified
		if i < len(chain)-1 {
			next = next.For(a)
		}
		a = next
	}
	a.AuthMethod = "jwt"
	return a
}

func TestActorFromClaims(t *testing.T) {
	t.Parallel()
	user, program := otelaudit.User, otelaudit.Service
	for name, tc := range map[string]struct {
		claims string
		want   otelaudit.Actor
	}{
		"sub": {`{"sub": "248289761001"}`, verified(user("248289761001"))},
		"ID token": {
			`{"iss": "https://op", "sub": "24400320", "aud": "s6BhdRkqt3", "azp": "s6BhdRkqt3", "name": "Jane Doe", "sid": "08a5019c", "exp": 1311281970}`,
			verified(otelaudit.Actor{Type: otelaudit.ActorUser, ID: "24400320", Name: "Jane Doe", Session: "08a5019c"}),
		},
		"access token of a user":           {`{"sub": "alice", "client_id": "s6BhdRkqt3"}`, verified(user("alice"))},
		"client credentials":               {`{"sub": "s6BhdRkqt3", "client_id": "s6BhdRkqt3"}`, verified(program("s6BhdRkqt3"))},
		"client credentials, azp":          {`{"sub": "s6BhdRkqt3", "azp": "s6BhdRkqt3"}`, verified(program("s6BhdRkqt3"))},
		"client credentials, no sub":       {`{"client_id": "s6BhdRkqt3"}`, verified(program("s6BhdRkqt3"))},
		"client_id before azp":             {`{"client_id": "a", "azp": "b"}`, verified(program("a"))},
		"SPIFFE":                           {`{"sub": "spiffe://example.org/billing"}`, verified(program("spiffe://example.org/billing"))},
		"empty name is no name":            {`{"sub": "alice", "name": ""}`, verified(user("alice"))},
		"tenants and roles are not for us": {`{"sub": "alice", "tid": "t", "tenant": "t", "roles": ["admin"], "groups": ["g"], "scope": "all"}`, verified(user("alice"))},
		"may_act is no act":                {`{"sub": "alice", "may_act": {"sub": "admin"}}`, verified(user("alice"))},
		"RFC 8693 figure 5": {
			`{"aud": "https://consumer.example.com", "iss": "https://issuer.example.com", "exp": 1443904177, "nbf": 1443904077,
			  "sub": "user@example.com", "act": {"sub": "admin@example.com"}}`,
			verified(user("admin@example.com"), user("user@example.com")),
		},
		"RFC 8693 figure 6": {
			`{"aud": "https://service26.example.com", "iss": "https://issuer.example.com", "exp": 1443904100, "nbf": 1443904000,
			  "sub": "user@example.com",
			  "act": {"sub": "https://service16.example.com", "act": {"sub": "https://service77.example.com"}}}`,
			verified(program("https://service16.example.com"), program("https://service77.example.com"), user("user@example.com")),
		},
		"the client acts":            {`{"sub": "alice", "client_id": "agent-1", "act": {"sub": "agent-1"}}`, verified(program("agent-1"), user("alice"))},
		"a client acts":              {`{"sub": "alice", "act": {"client_id": "agent-1"}}`, verified(program("agent-1"), user("alice"))},
		"session of each":            {`{"sub": "alice", "sid": "s1", "act": {"sub": "bob", "sid": "s2", "name": "Bob"}}`, verified(otelaudit.Actor{Type: "user", ID: "bob", Name: "Bob", Session: "s2"}, otelaudit.Actor{Type: "user", ID: "alice", Session: "s1"})},
		"act of the same issuer":     {`{"iss": "https://a", "sub": "alice", "act": {"iss": "https://a", "sub": "bob"}}`, verified(user("bob"), user("alice"))},
		"act of another issuer":      {`{"iss": "https://a", "sub": "alice", "act": {"iss": "https://b", "sub": "bob"}}`, verified(user("https://b#bob"), user("alice"))},
		"another issuer's client":    {`{"iss": "https://a", "sub": "alice", "client_id": "app", "act": {"iss": "https://b", "sub": "app"}}`, verified(user("https://b#app"), user("alice"))},
		"act where sub has no iss":   {`{"sub": "alice", "act": {"iss": "https://b", "sub": "bob"}}`, verified(user("https://b#bob"), user("alice"))},
		"client credentials and act": {`{"client_id": "app", "act": {"sub": "bob"}}`, verified(user("bob"), program("app"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := audithttp.ActorFromClaims(parse(t, tc.claims))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestClaimsThatNameNobody(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]string{
		`{}`:                                                   "neither sub nor client_id",
		`{"name": "Alice"}`:                                    "neither sub nor client_id",
		`{"sub": 42}`:                                          "claim sub is float64, not a string",
		`{"sub": null}`:                                        "claim sub is <nil>, not a string",
		`{"sub": ["s3cret"]}`:                                  "claim sub is []interface {}, not a string",
		`{"sub": ""}`:                                          "claim sub is empty",
		`{"sub": "", "client_id": "app"}`:                      "claim sub is empty",
		`{"sub": "s3cret", "azp": []}`:                         "claim azp is []interface {}",
		`{"sub": "s3cret", "name": 1}`:                         "claim name is float64",
		`{"sub": "s3cret", "sid": ""}`:                         "claim sid is empty",
		`{"sub": "s3cret", "iss": {}}`:                         "claim iss is map",
		`{"sub": "s3cret", "act": null}`:                       "claim act is <nil>, not an object",
		`{"sub": "s3cret", "act": "bob"}`:                      "claim act is string, not an object",
		`{"sub": "s3cret", "act": [{}]}`:                       "claim act is []interface {}, not an object",
		`{"sub": "s3cret", "act": {}}`:                         "claims under act.: neither sub",
		`{"act": {"sub": "s3cret"}}`:                           "neither sub nor client_id",
		`{"client_id": {}, "sub": "s3cre"}`:                    "claim client_id is map",
		`{"sub": "a", "act": {"sub": "b", "act": {"sub": 7}}}`: "claim act.act.sub is float64",
		`{"sub": "a", "act": {"sub": "b", "act": 7}}`:          "claim act.act is float64, not an object",
		nested(otelaudit.MaxChain + 1):                         "more than 8 nested act claims",
		nested(1000):                                           "more than 8 nested act claims",
	} {
		got, err := audithttp.ActorFromClaims(parse(t, claims))
		require.ErrorContains(t, err, want, claims)
		require.NotContains(t, err.Error(), "s3cret")
		require.Zero(t, got, claims)
	}
}

// nested returns claims with n acts.
func nested(n int) string {
	return `{"sub": "alice"` + strings.Repeat(`, "act": {"sub": "bob"`, n) + strings.Repeat("}", n+1)
}

func TestLongestChainIsRecordedWhole(t *testing.T) {
	t.Parallel()
	a, err := audithttp.ActorFromClaims(parse(t, nested(otelaudit.MaxChain)))
	require.NoError(t, err)
	m := newMemory(t)
	_, err = m.Track(t.Context(), otelaudit.Activity{Action: "x.do", Actor: a})
	require.NoError(t, err)
	require.Equal(t, a, m.only(t).Actor)
	require.Empty(t, m.only(t).Sanitized)
}

func TestClaims(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	expired := errors.New("expired")
	for name, tc := range map[string]struct {
		claims map[string]any
		err    error
		opts   []audithttp.ClaimsOption
		want   otelaudit.Actor
		is     error
	}{
		"no token":  {},
		"token":     {claims: map[string]any{"sub": "alice"}, want: verified(otelaudit.User("alice"))},
		"expired":   {claims: map[string]any{"sub": "alice"}, err: expired, is: expired},
		"no claims": {claims: map[string]any{}, is: audithttp.ErrUnauthenticated},
		"method": {
			claims: map[string]any{"sub": "alice"},
			opts:   []audithttp.ClaimsOption{audithttp.WithAuthMethod("oidc")},
			want:   otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "oidc", Trust: otelaudit.TrustVerified},
		},
		"type": {
			claims: map[string]any{"sub": "0f6a", "idtyp": "app", "act": map[string]any{"sub": "bob"}},
			opts: []audithttp.ClaimsOption{audithttp.WithPartyType(func(claims map[string]any) otelaudit.ActorType {
				if claims["idtyp"] == "app" {
					return otelaudit.ActorService
				}
				return ""
			})},
			want: verified(otelaudit.User("bob"), otelaudit.Service("0f6a")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := audithttp.Claims(func(given *http.Request) (map[string]any, error) {
				require.Same(t, r, given)
				return tc.claims, tc.err
			}, tc.opts...)(r)
			require.Equal(t, tc.want, got)
			if tc.is == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
			require.ErrorIs(t, err, tc.is)
		})
	}
}
