package postgres

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// decoder reads rows that Postgres sends in binary. It remembers the resources it has seen: nearly all rows of a page have
// the same few.
type decoder struct {
	resources map[string]attribute.Set
}

// record reads one row of columns.
func (d *decoder) record(row [][]byte) (*otelaudit.Record, error) {
	f := fields{row: row}
	r := &otelaudit.Record{Time: f.time()}
	copy(r.ID[:], f.fixed(16))
	r.Observed = f.time()
	if v := f.int2(); v != schemaVersion && f.err == nil {
		f.err = fmt.Errorf("it has schema_version %d, and this program knows %d: use a newer one", v, schemaVersion)
	}
	r.TraceFlags = trace.TraceFlags(f.int2()) //nolint:gosec // written from a byte
	r.Action = f.text()
	r.Verb = f.text()
	r.Actor = draft{f.text(), f.text()}.actor()
	r.Actor.Name = f.text()
	var actor actorJSON
	f.json(&actor)
	f.fail(actor.into(&r.Actor))
	r.Actor.OnBehalfOf = f.chain()
	r.Target.Type = f.text()
	r.Target.ID = f.text()
	r.Target.Name = f.text()
	r.Related = f.related()
	r.Outcome = otelaudit.Outcome(f.text())
	r.ErrorType = f.text()
	r.Reason = f.text()
	r.Changes = f.changes()
	r.Metadata = f.attributes()
	r.Tenant = f.text()
	r.Operation = f.text()
	r.Request.ClientAddress = f.text()
	f.request(&r.Request)
	copy(r.TraceID[:], f.fixed(16))
	copy(r.SpanID[:], f.fixed(8))
	_ = f.text() // service_name is part of resource
	r.Resource = d.resource(&f)
	r.Sanitized = f.sanitized()
	if f.err == nil && len(f.row) > 0 {
		f.err = fmt.Errorf("it has %d columns too many", len(f.row))
	}
	if f.err != nil {
		return nil, fmt.Errorf("the row of record %s at %s cannot be read: %w", r.ID, r.Time.Format(time.RFC3339Nano), f.err)
	}
	return r, nil
}

func (d *decoder) resource(f *fields) attribute.Set {
	data := f.jsonb()
	if data == nil {
		return attribute.Set{}
	}
	if set, ok := d.resources[string(data)]; ok {
		return set
	}
	kvs, err := attrjson.ParseObject(data)
	f.fail(err)
	set := attribute.NewSet(kvs...)
	if d.resources == nil {
		d.resources = map[string]attribute.Set{}
	}
	d.resources[string(data)] = set
	return set
}

// fields takes the fields of a row one by one. After an error, the rest is zero.
type fields struct {
	row [][]byte
	err error
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// next returns the next field; nil is NULL.
func (f *fields) next() []byte {
	if f.err != nil {
		return nil
	}
	if len(f.row) == 0 {
		f.err = errors.New("it has too few columns")
		return nil
	}
	field := f.row[0]
	f.row = f.row[1:]
	return field
}

// fixed returns a field of n bytes, or nil for NULL.
func (f *fields) fixed(n int) []byte {
	field := f.next()
	if field != nil && len(field) != n {
		f.fail(fmt.Errorf("a column has %d bytes instead of %d", len(field), n))
		return nil
	}
	return field
}

func (f *fields) text() string { return string(f.next()) }

func (f *fields) int2() uint16 {
	if field := f.fixed(2); field != nil {
		return binary.BigEndian.Uint16(field)
	}
	return 0
}

func (f *fields) time() time.Time {
	if field := f.fixed(8); field != nil {
		return time.UnixMicro(int64(binary.BigEndian.Uint64(field)) + postgresEpoch).UTC() //nolint:gosec // the bits of an int64
	}
	return time.Time{}
}

// jsonb returns the text of a jsonb, or nil for NULL.
func (f *fields) jsonb() []byte {
	field := f.next()
	if field == nil {
		return nil
	}
	if len(field) == 0 || field[0] != jsonbVersion {
		f.fail(errors.New("a jsonb has an unknown binary form"))
		return nil
	}
	return field[1:]
}

// json reads a jsonb into v, which stays as it is for NULL.
func (f *fields) json(v any) {
	if data := f.jsonb(); data != nil {
		f.fail(json.Unmarshal(data, v))
	}
}

func (f *fields) attributes() []attribute.KeyValue {
	data := f.jsonb()
	if data == nil {
		return nil
	}
	kvs, err := attrjson.ParseObject(data)
	f.fail(err)
	return kvs
}

// value reads an entry of a jsonb object; an absent one is the empty value.
func (f *fields) value(data json.RawMessage) attribute.Value {
	if data == nil {
		return attribute.Value{}
	}
	v, err := attrjson.Parse(data)
	f.fail(err)
	return v
}

// actorJSON is the column actor, and an element of on_behalf_of.
type actorJSON struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Roles      []string `json:"roles"`
	Tenant     string   `json:"tenant"`
	Session    string   `json:"session"`
	AuthMethod string   `json:"auth_method"`
	Trust      string   `json:"trust"`
}

// into sets in a what columns do not have.
func (j *actorJSON) into(a *otelaudit.Actor) error {
	a.Roles, a.Tenant, a.Session, a.AuthMethod = j.Roles, j.Tenant, j.Session, j.AuthMethod
	for _, trust := range []otelaudit.Trust{otelaudit.TrustDeclared, otelaudit.TrustPropagated, otelaudit.TrustVerified} {
		if j.Trust == trust.String() || j.Trust == "" {
			a.Trust = trust
			return nil
		}
	}
	return fmt.Errorf("unknown trust %.40q", j.Trust)
}

func (f *fields) chain() *otelaudit.Actor {
	var actors []actorJSON
	f.json(&actors)
	var first *otelaudit.Actor
	for _, j := range slices.Backward(actors) {
		a := draft{j.Type, j.ID}.actor()
		f.fail(j.into(&a))
		a.Name, a.OnBehalfOf = j.Name, first
		first = &a
	}
	return first
}

func (f *fields) related() []otelaudit.Target {
	var elements []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	f.json(&elements)
	var targets []otelaudit.Target
	for _, e := range elements {
		targets = append(targets, otelaudit.Target(e))
	}
	return targets
}

func (f *fields) changes() otelaudit.Changes {
	var entries map[string]struct {
		Old json.RawMessage `json:"old"`
		New json.RawMessage `json:"new"`
	}
	f.json(&entries)
	var changes otelaudit.Changes
	for field, e := range entries {
		changes = append(changes, otelaudit.Change{Field: field, Old: f.value(e.Old), New: f.value(e.New)})
	}
	slices.SortFunc(changes, func(a, b otelaudit.Change) int { return cmp.Compare(a.Field, b.Field) })
	return changes
}

func (f *fields) request(q *otelaudit.Request) {
	var j struct {
		Method      string `json:"method"`
		Route       string `json:"route"`
		Path        string `json:"path"`
		RPCMethod   string `json:"rpc_method"`
		PeerAddress string `json:"peer_address"`
		UserAgent   string `json:"user_agent"`
		ID          string `json:"id"`
	}
	f.json(&j)
	q.Method, q.Route, q.Path, q.RPCMethod = j.Method, j.Route, j.Path, j.RPCMethod
	q.PeerAddress, q.UserAgent, q.ID = j.PeerAddress, j.UserAgent, j.ID
}

func (f *fields) sanitized() []otelaudit.Sanitization {
	var elements []struct {
		Field  string `json:"field"`
		Reason string `json:"reason"`
		Length int    `json:"length"`
		SHA256 string `json:"sha256"`
	}
	f.json(&elements)
	var sanitized []otelaudit.Sanitization
	for _, e := range elements {
		s := otelaudit.Sanitization{Field: e.Field, Reason: otelaudit.SanitizeReason(e.Reason), Length: e.Length}
		if e.SHA256 != "" {
			hash, err := hex.DecodeString(e.SHA256)
			if err == nil && len(hash) != len(s.SHA256) {
				err = fmt.Errorf("a sha256 has %d bytes", len(hash))
			}
			f.fail(err)
			copy(s.SHA256[:], hash)
		}
		sanitized = append(sanitized, s)
	}
	return sanitized
}
