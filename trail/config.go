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
	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

// Config says how a trail works. Mandatory are exactly one of Dir, ParentDir and NoJournal, and Service (unless Resource or the
// environment names one).
type Config struct {
	// Dir is the journal's directory, on a local file system that outlives the process. It is this process's alone; Open makes
	// it where it is missing, and delivers what an earlier process left in it.
	Dir string
	// ParentDir is, instead of Dir, for several processes on one host, or for one whose successor may start before it has ended:
	// each has a journal in a directory of its own under it. Those whose process is gone are adopted, at Open and every
	// AdoptInterval: delivered to the sinks of this trail that have the same names, and removed once every required one has all.
	ParentDir string
	// NoJournal has Track return after every required sink has the record, instead of after a journal has it. It has to be
	// said, because the record is then only as safe as the sinks are, and Track only as available.
	NoJournal bool
	// Wait is what Track waits for where an activity does not say. Defaults to the journal's fsync.
	Wait otelaudit.Wait
	// Service is who records: the resource's service.name. Defaults to what Resource says, else OTEL_SERVICE_NAME.
	Service string
	// Resource is what else is known of who records. OTEL_RESOURCE_ATTRIBUTES are added; Resource goes before, Service first.
	// A service.instance.id is made up where there is none. Defaults to none.
	Resource *resource.Resource
	// Sinks are where records go. Without a journal at least one must be required. With one and without a required sink, the
	// journal alone keeps the records, for ever.
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
	// MaxBatch is the most records of one batch; a larger TrackAll is a batch of its own. Defaults to 4,096 for a
	// [BatchExporter], and to 2,048 for others: an OTLP receiver refuses more than 4 MiB over gRPC, unless told otherwise.
	MaxBatch int
	// MaxWaitingBytes bounds what waits for the journal's disk, and a single TrackAll; without a journal, what is queued for one
	// sink, without the batch under way, and unless nothing else is queued. A Track beyond it gets otelaudit.ErrFull at once; a
	// best-effort sink gives up its oldest. Defaults to 64 MiB; at most 1 GiB.
	MaxWaitingBytes int
	// SegmentBytes is the size of the journal's files, each of which goes when every required sink has all of it. Defaults to
	// 32 MiB.
	SegmentBytes int64
	// Retention keeps the journal's files for so long after their last record, also when every required sink has them.
	// Defaults to 0: not longer than that.
	Retention time.Duration
	// AdoptInterval is how often ParentDir is searched for journals whose process is gone. Defaults to 1 min.
	AdoptInterval time.Duration
	// FS is the journal's file system. Defaults to journal.OS().
	FS journal.FS
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
		{&c.AdoptInterval, time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.MaxWaitingBytes == 0 {
		c.MaxWaitingBytes = 64 << 20
	}
}

func (c *Config) validate() error {
	if err := c.validateStore(); err != nil {
		return err
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"TrackTimeout", c.TrackTimeout},
		{"ExportTimeout", c.ExportTimeout},
		{"CloseTimeout", c.CloseTimeout},
		{"ProbeInterval", c.ProbeInterval},
		{"AdoptInterval", c.AdoptInterval},
		{"Retention", c.Retention},
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
	if c.MaxWaitingBytes > maxWaitingBytes {
		return fmt.Errorf("trail: Config.MaxWaitingBytes %d: want at most %d", c.MaxWaitingBytes, maxWaitingBytes)
	}
	return c.validateSinks()
}

const maxWaitingBytes = 1 << 30

// validateStore checks where records are kept.
func (c *Config) validateStore() error {
	switch {
	case c.NoJournal && (c.Dir != "" || c.ParentDir != ""):
		return errors.New("trail: Config.NoJournal is set beside Dir or ParentDir: choose one")
	case c.Dir != "" && c.ParentDir != "":
		return errors.New("trail: Config.Dir and Config.ParentDir are both set: choose one")
	case !c.NoJournal && c.Dir == "" && c.ParentDir == "":
		return errors.New("trail: Config.Dir is empty: name a directory for the journal, on a disk that outlives the process; " +
			"or set NoJournal to say that Track shall wait for every required sink instead")
	case c.SegmentBytes < 0:
		return fmt.Errorf("trail: Config.SegmentBytes is negative (%d)", c.SegmentBytes)
	case c.Wait > otelaudit.Delivered:
		return fmt.Errorf("trail: Config.Wait %d is unknown: leave it zero, or use otelaudit.Delivered", c.Wait)
	}
	return nil
}

// journal is the journal's part of the configuration.
func (c *Config) journal() journal.Config {
	return journal.Config{
		Dir: c.Dir, SegmentBytes: c.SegmentBytes, MaxWaitingBytes: c.MaxWaitingBytes, AppendTimeout: c.TrackTimeout,
		CloseTimeout: c.CloseTimeout, Retention: c.Retention, FS: c.FS,
	}
}

func (c *Config) validateSinks() error {
	names, required := map[string]bool{}, 0
	for i, s := range c.Sinks {
		switch {
		case s.Name == "":
			return fmt.Errorf("trail: Config.Sinks[%d].Name is empty: name the sink, like \"postgres\"", i)
		case names[s.Name]:
			return fmt.Errorf("trail: Config.Sinks[%d].Name: %q is there twice", i, s.Name)
		case !c.NoJournal && len(s.Name) > journal.MaxNameBytes:
			return fmt.Errorf("trail: Config.Sinks[%d].Name has %d bytes: want at most %d, since it names the journal's cursor", i, len(s.Name), journal.MaxNameBytes)
		case s.Exporter == nil:
			return fmt.Errorf("trail: Config.Sinks[%d].Exporter of %q is nil", i, s.Name)
		}
		names[s.Name] = true
		if !s.BestEffort {
			required++
		}
	}
	if required == 0 && c.Wait == otelaudit.Delivered {
		return errors.New("trail: Config.Wait is Delivered, and Config.Sinks has no required sink to wait for; leave BestEffort false on one")
	}
	if required == 0 && c.NoJournal {
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
