package propagation

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

const (
	// Skew is how far the clocks of services may be apart. A token is taken this long before its time and after it.
	Skew = 5 * time.Second

	defaultLifetime        = 60 * time.Second
	maxLifetime            = 5 * time.Minute
	defaultMessageLifetime = 24 * time.Hour
	maxMessageLifetime     = 30 * 24 * time.Hour

	maxServiceBytes = 128
)

// Config says who a service is to others. Mandatory are Service and Keys.
type Config struct {
	// Service is the name of this service, 1 to 128 bytes: the issuer of the tokens it sends, and the audience of those it
	// takes.
	Service string
	// Audiences are further names under which it takes tokens. Defaults to none.
	Audiences []string
	// Keys sign the tokens it sends and verify those it is sent.
	Keys *Keyring
	// Lifetime is how long a token in a request is valid, in whole seconds, at most 5 minutes. A token that would live longer
	// than that is refused, whoever made it. Defaults to 60 s.
	Lifetime time.Duration
	// MessageLifetime is how long a token for a message is valid, in whole seconds, at most 30 days. Defaults to 24 h.
	MessageLifetime time.Duration
	// Names puts the names of actors into tokens, which whoever sees a request's headers can read. Defaults to false: opaque
	// ids only.
	Names bool
	// MeterProvider is where the propagator's metrics go. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.Lifetime == 0 {
		c.Lifetime = defaultLifetime
	}
	if c.MessageLifetime == 0 {
		c.MessageLifetime = defaultMessageLifetime
	}
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *Config) validate() error {
	if c.Service == "" {
		return errors.New("propagation: Config.Service is empty: name this service as others name it in their NewTransport")
	}
	if err := checkService(c.Service); err != nil {
		return fmt.Errorf("propagation: Config.Service %w", err)
	}
	for i, audience := range c.Audiences {
		if err := checkService(audience); err != nil {
			return fmt.Errorf("propagation: Config.Audiences[%d] %w", i, err)
		}
	}
	if c.Keys == nil {
		return errors.New("propagation: Config.Keys is nil: make a keyring with NewKeyring")
	}
	for _, d := range []struct {
		name       string
		value, max time.Duration
	}{
		{"Lifetime", c.Lifetime, maxLifetime},
		{"MessageLifetime", c.MessageLifetime, maxMessageLifetime},
	} {
		if d.value < time.Second || d.value > d.max || d.value%time.Second != 0 {
			return fmt.Errorf("propagation: Config.%s is %v: want whole seconds, from 1s to %v", d.name, d.value, d.max)
		}
	}
	return nil
}

// checkService checks the name of a service, as a token's issuer or audience.
func checkService(name string) error {
	switch {
	case name == "" || len(name) > maxServiceBytes:
		return fmt.Errorf("has %d bytes: want 1 to %d", len(name), maxServiceBytes)
	case !usable(name):
		return fmt.Errorf("is %q: want UTF-8 without control characters", name)
	}
	return nil
}
