package integrity

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Decoder reads records in canonical form. The zero Decoder is ready. It is not for concurrent use; the records are
// independent of it and of each other.
//
// It remembers the last resource, so that records of one process share theirs.
type Decoder struct {
	resource     attribute.Set
	resourceText string // the canonical form of resource, a part of the text of the record that had it first

	in reader // in d, so that it need not be allocated

	// What slices and maps are put together in before the OTel API copies them: empty between calls.
	values     []attribute.Value
	attributes []attribute.KeyValue
}

// Decode overwrites r with the record whose canonical form data is. An error wraps [ErrFormat] and leaves r empty.
//
// r is reset as by [otelaudit.Record.Reset], so what it held before is valid until then, and a [otelaudit.Record.Clone] of it
// for ever. Nothing of r is shared with data. Its strings are parts of one copy, which lives as long as one of them.
func (d *Decoder) Decode(data []byte, r *otelaudit.Record) error {
	r.Reset()
	d.in = reader{text: string(data)}
	d.record(&d.in, r)
	err := d.in.err
	if err != nil {
		r.Reset()
	}
	d.in = reader{}
	return err
}

// ParseCanonical returns the record whose canonical form data is. It shares nothing with data. For many records a [Decoder]
// is cheaper.
func ParseCanonical(data []byte) (*otelaudit.Record, error) {
	var d Decoder
	r := new(otelaudit.Record)
	if err := d.Decode(data, r); err != nil {
		return nil, err
	}
	return r, nil
}

func (d *Decoder) record(in *reader, r *otelaudit.Record) {
	if v := in.byte(); v != version && in.err == nil {
		in.fail(0, "version %d is not known", v)
	}
	copy(r.ID[:], in.take(len(r.ID)))
	r.Time = time.UnixMicro(in.int64()).UTC()
	r.Observed = time.UnixMicro(in.int64()).UTC()
	copy(r.TraceID[:], in.take(len(r.TraceID)))
	copy(r.SpanID[:], in.take(len(r.SpanID)))
	r.TraceFlags = trace.TraceFlags(in.byte())
	r.Outcome = outcomes[in.below(len(outcomes), "outcome")]
	r.Action = in.string()
	r.Verb = in.string()
	r.ErrorType = in.string()
	r.Reason = in.string()
	r.Tenant = in.string()
	r.Operation = in.string()
	d.actors(in, &r.Actor)
	target(in, &r.Target)
	n := in.count(3)
	r.Related = slices.Grow(r.Related, n)[:n]
	for i := range r.Related {
		target(in, &r.Related[i])
	}
	d.changes(in, r)
	d.attributesInto(&r.Metadata, in, 0)
	request(in, &r.Request)
	sanitized(in, r)
	d.setResource(in, r)
}

func (d *Decoder) actors(in *reader, a *otelaudit.Actor) {
	at := in.at
	n := in.count(8)
	if (n == 0 || n > maxActors) && in.err == nil {
		in.fail(at, "%d actors: 1 to %d are possible", n, maxActors)
	}
	for {
		a.Type = actorTypes[in.below(len(actorTypes), "type of actor")]
		a.Trust = otelaudit.Trust(in.below(int(otelaudit.TrustVerified)+1, "trust"))
		a.ID = in.string()
		a.Name = in.string()
		a.Tenant = in.string()
		a.Session = in.string()
		a.AuthMethod = in.string()
		if roles := in.count(1); roles > 0 {
			a.Roles = make([]string, roles)
			for i := range a.Roles {
				a.Roles[i] = in.string()
			}
		}
		if n--; n <= 0 || in.err != nil {
			return
		}
		a.OnBehalfOf = new(otelaudit.Actor)
		a = a.OnBehalfOf
	}
}

func target(in *reader, t *otelaudit.Target) {
	t.Type = in.string()
	t.ID = in.string()
	t.Name = in.string()
}

func (d *Decoder) changes(in *reader, r *otelaudit.Record) {
	n := in.count(3)
	r.Changes = slices.Grow(r.Changes, n)
	for i := range n {
		at := in.at
		field := in.string()
		if i > 0 && field <= r.Changes[i-1].Field {
			in.fail(at, "field %.40q is not behind %.40q", field, r.Changes[i-1].Field)
		}
		if in.err != nil {
			return
		}
		r.Changes = append(r.Changes, otelaudit.Change{Field: field, Old: d.value(in, 0), New: d.value(in, 0)})
	}
}

func request(in *reader, q *otelaudit.Request) {
	q.Method = in.string()
	q.Route = in.string()
	q.Path = in.string()
	q.RPCMethod = in.string()
	q.ClientAddress = in.string()
	q.PeerAddress = in.string()
	q.UserAgent = in.string()
	q.ID = in.string()
}

func sanitized(in *reader, r *otelaudit.Record) {
	n := in.count(1 + 1 + 8 + 32)
	r.Sanitized = slices.Grow(r.Sanitized, n)[:n]
	for i := range r.Sanitized {
		s := &r.Sanitized[i]
		s.Field = in.string()
		s.Reason = otelaudit.SanitizeReason(in.string())
		at, length := in.at, in.int64()
		if s.Length = int(length); int64(s.Length) != length {
			in.fail(at, "length %d is too large for this machine", length)
		}
		copy(s.SHA256[:], in.take(len(s.SHA256)))
	}
}

// setResource reads what is left: the resource is last.
func (d *Decoder) setResource(in *reader, r *otelaudit.Record) {
	text := in.text[in.at:]
	if text == "" || text != d.resourceText || in.err != nil {
		d.attributesInto(&d.attributes, in, 0)
		if in.at < len(in.text) {
			in.fail(in.at, "%d bytes follow the record", len(in.text)-in.at)
		}
		if in.err == nil {
			d.resource, d.resourceText = attribute.Set{}, text
			if len(d.attributes) > 0 {
				d.resource = attribute.NewSet(d.attributes...)
			}
		}
		clear(d.attributes)
		d.attributes = d.attributes[:0]
	}
	r.Resource = d.resource
}
