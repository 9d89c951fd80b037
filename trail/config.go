package trail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Config says how a trail works. Mandatory are NoJournal, Service (unless Resource or the environment names one), and at
// least one required sink.
type Config struct {
	// Dir is where the journal will live. There is none yet: Open refuses a Dir.
	Dir string
	// NoJournal has Track return after every required sink has the record, instead of after a journal has it. It has to be
	// said, because the record is then only as safe as the sinks are, and Track only as available.
	NoJournal bool
	// Service is who records: the resource's service.name. Defaults to what Resource says, else OTEL_SERVICE_NAME.
	Service string
	// Resource is what else is known of who records. OTEL_RESOURCE_ATTRIBUTES are added; Resource goes before, Service first.
	// A service.instance.id is made up where there is none. Defaults to none.
	Resource *resource.Resource
	// Sinks are where records go. At least one must be required.
	Sinks []Sink
	// Policy is what the service decides about its activities. Defaults to recording all.
	Policy otelaudit.Policy
	// TrackTimeout is the longest a Track may take. Defaults to 5 s.
	TrackTimeout time.Duration
	// ExportTimeout is the least an exporter is given for one attempt; its context ends at most half as much later.
	// Defaults to 5 s.
	ExportTimeout time.Duration
	// CloseTimeout is how long Close waits for what is under way. Defaults to 10 s.
	CloseTimeout time.Duration
	// ProbeInterval is how often a stopped sink is asked whether it would take records again. Defaults to 30 s.
	ProbeInterval time.Duration
	// MaxBatch is the most records of one batch; a larger TrackAll is a batch of its own. Defaults to 2,048.
	MaxBatch int
	// MaxWaitingBytes bounds what is queued for one sink, without the batch under way. A Track beyond it gets
	// otelaudit.ErrFull at once, unless nothing else is queued; a best-effort sink gives up its oldest. Defaults to 64 MiB.
	MaxWaitingBytes int
	// NoSpanEvent leaves out the event on the active span, of which a TrackAll adds at most 8: OpenTelemetry is deprecating
	// span events. Defaults to false.
	NoSpanEvent bool
	// MeterProvider is where the trail's own metrics go. Defaults to OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
}

func (c *Config) setDefaults() {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.TrackTimeout, 5 * time.Second},
		{&c.ExportTimeout, 5 * time.Second},
		{&c.CloseTimeout, 10 * time.Second},
		{&c.ProbeInterval, 30 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 2048
	}
	if c.MaxWaitingBytes == 0 {
		c.MaxWaitingBytes = 64 << 20
	}
}

func (c *Config) validate() error {
	switch {
	case c.Dir != "" && c.NoJournal:
		return errors.New("trail: Config.Dir and Config.NoJournal are both set: choose one")
	case c.Dir != "":
		return errors.New("trail: Config.Dir: there is no journal yet: leave Dir empty and set NoJournal")
	case !c.NoJournal:
		return errors.New("trail: Config.NoJournal is not set: without a journal Track waits for every required sink; set it to say that you want that")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"TrackTimeout", c.TrackTimeout},
		{"ExportTimeout", c.ExportTimeout},
		{"CloseTimeout", c.CloseTimeout},
		{"ProbeInterval", c.ProbeInterval},
	} {
		if d.value < 0 {
			return fmt.Errorf("trail: Config.%s is negative (%v)", d.name, d.value)
		}
	}
	if c.MaxBatch < 0 {
		return fmt.Errorf("trail: Config.MaxBatch is negative (%d)", c.MaxBatch)
	}
	if c.MaxWaitingBytes < 0 || c.MaxWaitingBytes > 0 && c.MaxWaitingBytes < otelaudit.MaxRecordBytes {
		return fmt.Errorf("trail: Config.MaxWaitingBytes %d: want at least otelaudit.MaxRecordBytes (%d)", c.MaxWaitingBytes, otelaudit.MaxRecordBytes)
	}
	return c.validateSinks()
}

func (c *Config) validateSinks() error {
	names, required := map[string]bool{}, 0
	for i, s := range c.Sinks {
		switch {
		case s.Name == "":
			return fmt.Errorf("trail: Config.Sinks[%d].Name is empty: name the sink, like \"postgres\"", i)
		case names[s.Name]:
			return fmt.Errorf("trail: Config.Sinks[%d].Name: %q is there twice", i, s.Name)
		case s.Exporter == nil:
			return fmt.Errorf("trail: Config.Sinks[%d].Exporter of %q is nil", i, s.Name)
		}
		names[s.Name] = true
		if !s.BestEffort {
			required++
		}
	}
	if required == 0 {
		return errors.New("trail: Config.Sinks has no required sink: without a journal nothing would keep the records; leave BestEffort false on one")
	}
	return nil
}

// resource is who records, with the environment's attributes behind the configured ones.
func (c *Config) resource(ctx context.Context) (*resource.Resource, error) {
	attrs := resource.Environment().Attributes()
	attrs = append(attrs, c.Resource.Attributes()...)
	if c.Service != "" {
		attrs = append(attrs, attribute.String(otelaudit.KeyServiceName, c.Service))
	}
	set := attribute.NewSet(attrs...) // the last of equal keys wins
	if name, ok := set.Value(otelaudit.KeyServiceName); !ok || name.AsString() == "" {
		return nil, errors.New("trail: Config.Service is empty: name the service that records, or set OTEL_SERVICE_NAME")
	}
	if !set.HasValue(otelaudit.KeyServiceID) {
		set = attribute.NewSet(append(set.ToSlice(), attribute.String(otelaudit.KeyServiceID, instanceID()))...)
	}
	set = otelaudit.StorableResource(set)
	return resource.New(ctx, resource.WithAttributes(set.ToSlice()...))
}

// instanceID is a random UUID (version 4), as semantic conventions want service.instance.id.
func instanceID() string {
	var id otelaudit.ID
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
