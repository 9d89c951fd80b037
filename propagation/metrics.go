package propagation

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	scope      = "github.com/rj-gamer/go-activity-tracker/propagation"
	attrResult = "otelaudit.result"
)

// What becomes of the token that Inject makes.
const (
	injectedSent         = "sent"
	injectedNoActor      = "no_actor"      // nobody acts; only of messages, since a request may well be nobody's
	injectedNoKey        = "no_key"        // the keyring has no key to sign with at this time
	injectedTooLong      = "too_long"      // it would exceed 2,048 bytes
	injectedChain        = "chain"         // the actor acts for itself, or for more than 63 others
	injectedUnusable     = "unusable"      // an id or a name in it has control characters, or is no UTF-8
	injectedBaggageLimit = "baggage_limit" // the header would exceed 64 members or 8,192 bytes
)

// acceptedResult is the result of a token that was taken; the other results of Extract are the rejections.
const acceptedResult = "accepted"

// metrics count tokens by what became of them.
type metrics struct {
	extracted, injected counter
}

func newMetrics(provider metric.MeterProvider) (metrics, error) {
	meter := provider.Meter(scope)
	extracted, err1 := newCounter(meter, "otelaudit.propagation.extracted", "Actor tokens that came in, by what became of them.",
		acceptedResult, string(RejectionBaggageLimit), string(RejectionDuplicate), string(RejectionMalformed), string(RejectionOverlong),
		string(RejectionVersion), string(RejectionUnknownKey), string(RejectionRevokedKey), string(RejectionKeyNotValid),
		string(RejectionSignature), string(RejectionIssuer), string(RejectionExpired), string(RejectionNotYetValid),
		string(RejectionLifetime), string(RejectionAudience), string(RejectionTrace), string(RejectionMessage))
	injected, err2 := newCounter(meter, "otelaudit.propagation.injected", "Actor tokens to be sent, by what became of them.",
		injectedSent, injectedNoActor, injectedNoKey, injectedTooLong, injectedChain, injectedUnusable, injectedBaggageLimit)
	return metrics{extracted, injected}, errors.Join(err1, err2)
}

// counter counts by result. Its options are made once: they are dearer than the counting.
type counter struct {
	metric.Int64Counter
	options map[string][]metric.AddOption
}

func newCounter(meter metric.Meter, name, description string, results ...string) (counter, error) {
	c, err := meter.Int64Counter(name, metric.WithDescription(description), metric.WithUnit("{token}"))
	options := make(map[string][]metric.AddOption, len(results))
	for _, result := range results {
		options[result] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String(attrResult, result)))}
	}
	return counter{c, options}, err
}

func (c counter) add(ctx context.Context, result string) {
	c.Add(ctx, 1, c.options[result]...)
}
