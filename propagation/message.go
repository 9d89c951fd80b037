package propagation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Message returns a token for a message to audience, to be sent beside it: it carries ctx's actor, tenant, operation and
// reason to whoever handles the message, later and in another process, and names ctx's span. It is bound to body by its
// SHA-256: beside another message it is worth nothing. It is valid for Config.MessageLifetime.
//
// body must be bytes that sender and receiver both see, or make in the same way. A queue that stores JSON may change them: in
// a column of type jsonb Postgres sorts members, drops white space and rewrites numbers. There, bind the token to what the
// message is about: encode the arguments again on both sides, or take the fields that matter in a fixed order. Whatever is not
// in body can be changed on the way.
//
// The error says why there is no token: nobody acts in ctx ([ErrNoActor]), no key can sign ([ErrNoKey]), or it would exceed the
// limits of docs/actor-token.md. It holds nothing of body or of ctx.
func (p *Propagator) Message(ctx context.Context, audience string, body []byte) (string, error) {
	token, err := p.message(ctx, audience, body)
	p.metrics.injected.add(ctx, injectedResult(err))
	return token, err
}

func (p *Propagator) message(ctx context.Context, audience string, body []byte) (string, error) {
	if err := checkService(audience); err != nil {
		return "", fmt.Errorf("propagation: the audience %w", err)
	}
	c, err := newClaims(ctx, kindMessage, p.config.Service, audience, p.config.MessageLifetime, p.config.Names)
	if err != nil {
		return "", err
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		c.trace, c.span = span.TraceID(), span.SpanID()
	}
	c.message = sha256.Sum256(body)
	token, err := p.config.Keys.seal(nil, c, p.config.Now())
	if err != nil {
		return "", err
	}
	return string(token), nil
}

// FromMessage returns ctx with the actor, tenant, operation and reason of a message's token, in place of what ctx has of
// these, and a link to the span that sent the message, to be given to the span that handles it; without a trace id where
// there was none. The actor's AuthMethod is "message_token": what is recorded shows that it was deferred.
//
// body is what [Propagator.Message] was given. A token that is not valid for this service and this body gives a
// [*RejectedError], and ctx with nothing but the reason in it, for [TrackRejection]. A token may be used again within its lifetime, as a message may be delivered again:
// whoever must not do it twice has to see to that.
func (p *Propagator) FromMessage(ctx context.Context, token string, body []byte) (context.Context, trace.Link, error) {
	v, rejection := p.openMessage(token, body)
	if rejection != "" {
		p.metrics.extracted.add(ctx, string(rejection))
		return contextWithRejection(ctx, rejection), trace.Link{}, &RejectedError{Reason: rejection}
	}
	p.metrics.extracted.add(ctx, acceptedResult)
	link := trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: v.trace, SpanID: v.span, Remote: true})}
	// What ctx has of these is about whoever handles the message. The tenant is the actor's.
	ctx = otelaudit.ContextWithTenant(ctx, "")
	ctx = contextWithRejection(otelaudit.ContextWithReason(otelaudit.ContextWithOperation(ctx, ""), ""), "")
	return otelaudit.ContextWithPropagated(ctx, v.actor(), v.operation, v.reason), link, nil
}

// RejectedError is the error of a token that was not taken for an actor. It holds nothing of the token.
type RejectedError struct{ Reason Rejection }

// Error gives the reason.
func (e *RejectedError) Error() string { return "propagation: token rejected: " + string(e.Reason) }

func (p *Propagator) openMessage(token string, body []byte) (*verified, Rejection) {
	v, rejection := p.config.Keys.open(token, kindMessage, p.config.Now())
	if rejection != "" {
		return nil, rejection
	}
	if !slices.Contains(p.config.Audiences, v.audience) {
		return nil, RejectionAudience
	}
	if sum := sha256.Sum256(body); !hmac.Equal(sum[:], v.message[:]) {
		return nil, RejectionMessage
	}
	return v, ""
}
