package main

import (
	"context"
	"crypto/rand"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// Whom the forger wants to be recorded, and from where.
const (
	forgedUser    = "carol"
	forgedAddress = "203.0.113.66"
)

// forge writes what edge would write for Carol to audience, and returns its trace. All of it is right, down to the name of
// the key, but for the key itself: that is what the forger does not have.
func forge(ctx context.Context, audience string, headers otelpropagation.TextMapCarrier) (trace.TraceID, error) {
	guess := make([]byte, 32)
	_, _ = rand.Read(guess) // never fails
	key, err := propagation.HMACKey(keyID, guess)
	if err != nil {
		return trace.TraceID{}, err
	}
	keys, err := propagation.NewKeyring(key)
	if err != nil {
		return trace.TraceID{}, err
	}
	forger, err := propagation.New(propagation.Config{Service: edge, Keys: keys})
	if err != nil {
		return trace.TraceID{}, err
	}
	var in trace.SpanContextConfig
	_, _ = rand.Read(in.TraceID[:])
	_, _ = rand.Read(in.SpanID[:])
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(in))
	ctx = otelaudit.ContextWithActor(ctx, otelaudit.User(forgedUser))
	ctx = propagation.ContextWithAudience(ctx, audience)
	otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, forger).Inject(ctx, headers)
	return in.TraceID, nil
}
