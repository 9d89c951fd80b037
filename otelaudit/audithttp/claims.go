package audithttp

import (
	"cmp"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/internal/jwtclaims"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// ClaimsOption changes how [Claims] and [ActorFromClaims] read a token's claims.
type ClaimsOption interface{ applyClaims(*jwtclaims.Reader) }

type claimsOptionFunc func(*jwtclaims.Reader)

func (f claimsOptionFunc) applyClaims(r *jwtclaims.Reader) { f(r) }

// WithAuthMethod sets the actor's AuthMethod. Defaults to "jwt"; "oidc" is for ID tokens.
func WithAuthMethod(method string) ClaimsOption {
	return claimsOptionFunc(func(r *jwtclaims.Reader) { r.AuthMethod = method })
}

// WithPartyType tells what kind of party claims name, which no standard claim says: claims are the token's own or those of
// an act claim in it. Where kind returns "", the rule of [ActorFromClaims] holds.
func WithPartyType(kind func(claims map[string]any) otelaudit.ActorType) ClaimsOption {
	return claimsOptionFunc(func(r *jwtclaims.Reader) { r.TypeOf = kind })
}

// Claims returns the actor function for a JWT, such as an OIDC ID token or an OAuth access token. verified gets the claims
// of the request's token after the caller's own library has verified its signature, issuer, audience and times: nothing of
// that is done here. It returns nil claims and nil for a request without a token, and an error for a token that does not
// hold.
//
// The claims become an actor as [ActorFromClaims] says. Errors are [ErrUnauthenticated].
func Claims(verified func(*http.Request) (map[string]any, error), opts ...ClaimsOption) func(*http.Request) (otelaudit.Actor, error) {
	reader := newClaimsReader(opts)
	return func(r *http.Request) (otelaudit.Actor, error) {
		token, err := verified(r)
		if err == nil && token == nil {
			return otelaudit.Actor{}, nil
		}
		return proved(reader.AuthMethod, func() (otelaudit.Actor, error) {
			if err != nil {
				return otelaudit.Actor{}, err
			}
			return reader.Actor(token)
		})
	}
}

// ActorFromClaims returns the actor that the claims of a verified token name, with [otelaudit.TrustVerified]:
//
//   - sub is the subject's id, name its name, sid its session.
//   - client_id, or else azp, is the client that got the token. Without a sub, the client is the subject.
//   - act is who acts for the subject (RFC 8693 section 4.1), by claims of the same names.
//   - iss within act, where it is not the token's own: the id becomes the issuer, "#" and the sub, so that nobody of another
//     issuer passes for one of ours. An application that accepts tokens of several issuers must do the same with sub.
//
// The outermost act is the current actor. An act within it is who acted before, and so the one from whom the actor has its
// task; sub is who gave it first. So this, the nested example of the RFC, is service16 on behalf of service77 on behalf of
// the user:
//
//	{"sub": "user@example.com", "act": {
//		"sub": "https://service16.example.com", "act": {
//			"sub": "https://service77.example.com"}}}
//
// A party is a service where it has no sub, where its sub is the client's id, or is a URI with an authority (a SPIFFE ID,
// the services above); else a user. [WithPartyType] may know better. Tenant and roles have no standard claim: they are the
// caller's to add.
//
// A claim of these that is there but no string, an empty one but for name, a token that names nobody, and more than
// [otelaudit.MaxChain] nested acts are errors. They name the claim, never its value.
func ActorFromClaims(claims map[string]any, opts ...ClaimsOption) (otelaudit.Actor, error) {
	return newClaimsReader(opts).Actor(claims)
}

func newClaimsReader(opts []ClaimsOption) *jwtclaims.Reader {
	r := &jwtclaims.Reader{Trust: otelaudit.TrustVerified}
	for _, o := range opts {
		o.applyClaims(r)
	}
	r.AuthMethod = cmp.Or(r.AuthMethod, "jwt")
	return r
}
