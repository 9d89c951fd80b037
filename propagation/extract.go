package propagation

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Extract implements [propagation.TextMapPropagator]. It takes our member out of the carrier's baggage, and hands the rest to
// OpenTelemetry's Baggage: ctx's baggage never holds our member.
//
// A valid token gives ctx its actor with [otelaudit.TrustPropagated], whose tenant is the token's: an own actor that takes its
// place has its own. It gives ctx the token's operation and reason. What ctx has of these
// already stays as it is, above all an actor that the service's own authentication has put there. A token that is not valid
// gives ctx the reason ([RejectionFromContext]) and nothing else. Both are counted. Without a token ctx is what
// OpenTelemetry's Baggage makes of it.
//
// The member counts only if it is there once, spelled as it should be, without properties, in a baggage of at most 64 members
// and 8,192 bytes. White space around key and value, which W3C allows, is no part of them; nothing is percent-decoded.
func (p *Propagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	lines := values(carrier, baggageHeader)
	ctx = ContextWithAudience(cleanContext(ctx), "") // of whoever called, in this process
	if len(lines) == 0 {
		return ctx
	}
	var h header
	h.parse(lines)
	if h.found == 0 {
		return propagation.Baggage{}.Extract(ctx, carrier)
	}
	switch len(h.rest) {
	case 0:
	case 1:
		ctx = propagation.Baggage{}.Extract(ctx, lineCarrier(h.rest[0]))
	default:
		ctx = propagation.Baggage{}.Extract(ctx, linesCarrier(h.rest))
	}
	v, rejection := p.verify(&h, carrier)
	if rejection != "" {
		p.metrics.extracted.add(ctx, string(rejection))
		return contextWithRejection(ctx, rejection)
	}
	p.metrics.extracted.add(ctx, acceptedResult)
	return v.context(contextWithRejection(ctx, ""))
}

// cleanContext returns ctx without a member of ours in its baggage: a propagator that ran before may have put it there.
func cleanContext(ctx context.Context) context.Context {
	b := baggage.FromContext(ctx)
	clean := b
	for _, m := range b.Members() {
		if isOurKey(m.Key()) {
			clean = clean.DeleteMember(m.Key())
		}
	}
	if clean.Len() == b.Len() {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, clean)
}

// verify returns what the token in h says, or why it says nothing.
func (p *Propagator) verify(h *header, carrier propagation.TextMapCarrier) (*verified, Rejection) {
	switch {
	case h.size > maxHeaderBytes || h.members > maxHeaderMembers:
		return nil, RejectionBaggageLimit
	case h.found > 1:
		return nil, RejectionDuplicate
	case !h.exact:
		return nil, RejectionMalformed
	}
	v, rejection := p.config.Keys.open(h.value, kindRequest, p.config.Now())
	if rejection != "" {
		return nil, rejection
	}
	if !slices.Contains(p.config.Audiences, v.audience) {
		return nil, RejectionAudience
	}
	if id, ok := traceOf(carrier); !ok || id != v.trace {
		return nil, RejectionTrace
	}
	return v, ""
}

// context returns ctx with what v says, as far as ctx says nothing of it already. With an actor in ctx the token's is not
// taken, and neither are its reason and tenant, which are about that actor.
func (v *verified) context(ctx context.Context) context.Context {
	operation, reason := v.operation, v.reason
	if _, ok := otelaudit.OperationFromContext(ctx); ok {
		operation = ""
	}
	if actor, ok := otelaudit.ActorFromContext(ctx); ok && !actor.IsZero() {
		if operation == "" {
			return ctx
		}
		return otelaudit.ContextWithOperation(ctx, operation)
	}
	if _, ok := otelaudit.ReasonFromContext(ctx); ok {
		reason = ""
	}
	return otelaudit.ContextWithPropagated(ctx, v.actor(), operation, reason)
}
