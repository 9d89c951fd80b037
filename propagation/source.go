package propagation

import (
	"context"

	"github.com/rj-gamer/go-activity-tracker/internal/jwtclaims"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Source reads from the claims of a token who acts: [JWT], [SPIFFE] and [TransactionToken] make sources, and any function
// is one ([SourceFunc]). It is safe for concurrent use.
//
// The caller's own library has verified the token's signature, issuer, audience and times: nothing of that is done here.
// The claims are those that encoding/json decodes from the token's payload. Identify changes nothing in them and keeps no
// reference to them. An error means that the token names nobody, and must be taken like one that does not hold; it
// names the claim, never its value.
//
// A source is used where the token is verified, be it in an actor function of audithttp or auditgrpc, which takes
// Identity.Actor, or in middleware of one's own, which calls [Identity.Context].
type Source interface {
	Identify(claims map[string]any) (Identity, error)
}

// SourceFunc makes a function a [Source].
type SourceFunc func(claims map[string]any) (Identity, error)

// Identify implements [Source].
func (f SourceFunc) Identify(claims map[string]any) (Identity, error) { return f(claims) }

// Identity is what a token says of those who act and of what they are doing.
type Identity struct {
	Actor     otelaudit.Actor
	Operation string // "" where the token names none
	Reason    string // likewise
}

// Context returns ctx with what id says in it: the actor, the operation and the reason. What id leaves open stays as it is
// in ctx.
func (id Identity) Context(ctx context.Context) context.Context {
	if !id.Actor.IsZero() {
		ctx = otelaudit.ContextWithActor(ctx, id.Actor)
	}
	if id.Operation != "" {
		ctx = otelaudit.ContextWithOperation(ctx, id.Operation)
	}
	if id.Reason != "" {
		ctx = otelaudit.ContextWithReason(ctx, id.Reason)
	}
	return ctx
}

// JWT returns the source for a JWT such as an OAuth access token or an OIDC ID token: sub is the subject, and act, with
// those nested in it, who acts for the subject (RFC 8693 section 4.1). The actor is verified; its AuthMethod is "jwt".
//
// It reads claims as audithttp.ActorFromClaims does, whose documentation has the rules, and whose options are there for
// tokens that need others.
func JWT() Source {
	reader := jwtclaims.Reader{Trust: otelaudit.TrustVerified, AuthMethod: "jwt"}
	return SourceFunc(func(claims map[string]any) (Identity, error) {
		a, err := reader.Actor(claims)
		return Identity{Actor: a}, err
	})
}
