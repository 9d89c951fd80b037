package propagation

import (
	"slices"

	"go.opentelemetry.io/otel/propagation"
)

// Propagator carries who acts from service to service, and the application's ordinary baggage as OpenTelemetry's Baggage
// does. It is safe for concurrent use.
type Propagator struct {
	config  Config
	metrics metrics
}

var _ propagation.TextMapPropagator = (*Propagator)(nil)

// New returns a propagator, or an error that names the field of c that is wrong.
//
// In the composite it takes the place of propagation.Baggage{}, which would, beside it, put tokens into the context's baggage
// and write over those that go out. It stands before or behind propagation.TraceContext{}, which it needs: a token is bound
// to the trace that the traceparent names.
func New(c Config) (*Propagator, error) {
	c.setDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.Audiences = append(slices.Clone(c.Audiences), c.Service)
	m, err := newMetrics(c.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &Propagator{config: c, metrics: m}, nil
}

// Fields implements [propagation.TextMapPropagator].
func (*Propagator) Fields() []string { return []string{baggageHeader} }
