package propagation

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Inject implements [propagation.TextMapPropagator]. It injects ctx's baggage as OpenTelemetry's Baggage does: what the
// carrier has of a baggage stays where ctx has none, and else is replaced. Members with our key are left out of it, whoever
// put them there: a token that came in never goes out again.
//
// Behind it goes a token, if ctx names an audience ([ContextWithAudience]), which is good for one, and an actor who is not
// unknown. Where the actor acts for more than four others, the token has the two who acted last and the two who began it, and
// says that it leaves out those in between. The token is left out, and counted, where there is no key to sign it with, where it
// would exceed 2,048 bytes or hold what no token may, where the actor acts for itself, and where the header would exceed 64
// members or 8,192 bytes, of which a receiver may drop everything.
func (p *Propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	var h header
	if own := baggage.FromContext(ctx).String(); own != "" {
		h.parse([]string{own})
	}
	set := len(h.rest) > 0
	if !set {
		h = header{}
		h.parse(values(carrier, baggageHeader))
		set = h.found > 0
	}
	text, members := strings.Join(h.rest, ","), h.members-h.found
	if member := p.member(ctx, carrier, len(text), members); member != "" {
		if text != "" {
			text += ","
		}
		text, set = text+member, true
	}
	if set {
		carrier.Set(baggageHeader, text)
	}
}

// member returns our member to go behind a baggage of so many bytes and members, "" where there is none.
func (p *Propagator) member(ctx context.Context, carrier propagation.TextMapCarrier, size, members int) string {
	audience := takeAudience(ctx)
	if audience == "" {
		return ""
	}
	c, err := newClaims(ctx, kindRequest, p.config.Service, audience, p.config.Lifetime, p.config.Names)
	var token string
	if err == nil {
		c.trace = sentTrace(ctx, carrier)
		token, err = p.config.Keys.issue(c, p.config.Now())
	}
	if errors.Is(err, ErrNoActor) {
		return ""
	}
	member, result := memberKey+"="+token, injectedResult(err)
	if err == nil && (members+1 > maxHeaderMembers || size+len(",")+len(member) > maxHeaderBytes) {
		result = injectedBaggageLimit
	}
	p.metrics.injected.add(ctx, result)
	if result != injectedSent {
		return ""
	}
	return member
}

// injectedResult returns what err, of making a token, is counted as.
func injectedResult(err error) string {
	switch {
	case err == nil:
		return injectedSent
	case errors.Is(err, ErrNoActor):
		return injectedNoActor
	case errors.Is(err, ErrNoKey):
		return injectedNoKey
	case errors.Is(err, errChain):
		return injectedChain
	case errors.Is(err, errTooLong):
		return injectedTooLong
	default:
		return injectedUnusable
	}
}

// sentTrace returns the trace that the carrier's traceparent names, or will name: TraceContext, whether it runs before us or
// behind us, writes ctx's, and leaves what is there where ctx has none.
func sentTrace(ctx context.Context, carrier propagation.TextMapCarrier) trace.TraceID {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID()
	}
	id, _ := traceOf(carrier)
	return id
}
