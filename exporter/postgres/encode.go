package postgres

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// What COPY … BINARY wants around the rows: a signature, no flags, no extension; and a row of −1 fields at the end.
var (
	copyHeader  = []byte("PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00")
	copyTrailer = []byte("\xff\xff")
)

// encoder holds the rows of one batch in the format of COPY … BINARY. Rows are encoded once, and sent as often as it takes.
type encoder struct {
	buf       []byte
	ends      []int // row i of the batch ends at ends[i]; a record that is not storable, or another's, has an empty row
	resources []encodedResource
}

// encodedResource is what a row says about its resource: the same for nearly all rows of a process.
type encodedResource struct {
	set    attribute.Set
	fields []byte // service_name and resource
}

const (
	maxPooledBytes   = 16 << 20 // a buffer that one exceptional batch made larger is not kept
	maxKeptResources = 16
)

var encoders = sync.Pool{New: func() any { return new(encoder) }}

func newEncoder() *encoder { return encoders.Get().(*encoder) }

// free gives the encoder's memory to later batches.
func (e *encoder) free() {
	if cap(e.buf) > maxPooledBytes {
		return
	}
	e.buf, e.ends = e.buf[:0], e.ends[:0]
	encoders.Put(e)
}

// add encodes r as the next row, or says why r cannot be one.
func (e *encoder) add(r *otelaudit.Record) error {
	err := checkStorable(r)
	if err == nil {
		e.buf = e.appendRow(e.buf, r)
	}
	e.ends = append(e.ends, len(e.buf))
	return err
}

// skip leaves out the next row.
func (e *encoder) skip() { e.ends = append(e.ends, len(e.buf)) }

// stream returns the COPY data of the rows in part, which ascends.
func (e *encoder) stream(part []int) *net.Buffers {
	data := net.Buffers{copyHeader}
	for i := 0; i < len(part); {
		first := i
		for i++; i < len(part) && e.start(part[i]) == e.ends[part[i-1]]; i++ {
		}
		data = append(data, e.buf[e.start(part[first]):e.ends[part[i-1]]])
	}
	data = append(data, copyTrailer)
	return &data
}

func (e *encoder) start(row int) int {
	if row == 0 {
		return 0
	}
	return e.ends[row-1]
}

// checkStorable refuses what the table would store otherwise than it came. Whatever a Recorder or ParseRecord made passes.
func checkStorable(r *otelaudit.Record) error {
	switch year := r.Time.Year(); {
	case r.ID.IsZero():
		return fmt.Errorf("%w: it has no id", ErrNotStorable)
	case year < 1970 || year > 9999:
		return fmt.Errorf("%w: its time is in the year %d", ErrNotStorable, year)
	case r.Time.Nanosecond()%1000 != 0 || r.Observed.Nanosecond()%1000 != 0:
		return fmt.Errorf("%w: its times are not in whole microseconds", ErrNotStorable)
	}
	depth := 0
	for a := r.Actor.OnBehalfOf; a != nil; a = a.OnBehalfOf {
		if depth++; depth > otelaudit.MaxChain {
			return fmt.Errorf("%w: its actor acts for more than %d others", ErrNotStorable, otelaudit.MaxChain)
		}
	}
	return nil
}

// appendRow writes the fields in the order of columns.
func (e *encoder) appendRow(b []byte, r *otelaudit.Record) []byte {
	b = binary.BigEndian.AppendUint16(b, columnCount)
	b = appendTime(b, r.Time)
	b = appendBytes(b, r.ID[:])
	b = appendTime(b, r.Observed)
	b = appendInt2(b, schemaVersion)
	if r.TraceFlags == 0 && !r.TraceID.IsValid() {
		b = appendNull(b)
	} else {
		b = appendInt2(b, uint16(r.TraceFlags))
	}
	b = appendText(b, r.Action)
	b = appendText(b, r.Verb)
	actor := draftOf(r.Actor.Type, r.Actor.ID)
	b = appendText(b, actor.kind)
	b = appendText(b, actor.id)
	b = appendText(b, r.Actor.Name)
	b = appendActor(b, &r.Actor)
	b = appendChain(b, r.Actor.OnBehalfOf)
	b = appendText(b, r.Target.Type)
	b = appendText(b, r.Target.ID)
	b = appendText(b, r.Target.Name)
	b = appendRelated(b, r.Related)
	b = appendText(b, string(r.Outcome))
	b = appendText(b, r.ErrorType)
	b = appendText(b, r.Reason)
	b = appendChanges(b, r.Changes)
	b = appendAttributes(b, r.Metadata)
	b = appendText(b, r.Tenant)
	b = appendText(b, r.Operation)
	b = appendText(b, r.Request.ClientAddress)
	b = appendRequest(b, &r.Request)
	if r.TraceID.IsValid() {
		b = appendBytes(b, r.TraceID[:])
	} else {
		b = appendNull(b)
	}
	if r.SpanID.IsValid() {
		b = appendBytes(b, r.SpanID[:])
	} else {
		b = appendNull(b)
	}
	b = append(b, e.resource(&r.Resource)...)
	return appendSanitized(b, r.Sanitized)
}

// resource returns the encoded fields service_name and resource.
func (e *encoder) resource(set *attribute.Set) []byte {
	for i := range e.resources {
		if e.resources[i].set.Equals(set) {
			return e.resources[i].fields
		}
	}
	service, _ := set.Value(otelaudit.KeyServiceName)
	var fields []byte
	if service.Type() == attribute.STRING {
		fields = appendText(fields, service.AsString())
	} else {
		fields = appendNull(fields)
	}
	fields = appendAttributes(fields, set.ToSlice())
	if len(e.resources) == maxKeptResources {
		e.resources = e.resources[:0]
	}
	e.resources = append(e.resources, encodedResource{*set, fields})
	return fields
}

// Each field is its length in four bytes and its value; a length of −1 is NULL.

func appendNull(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff) }

func appendInt2(b []byte, v uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, 0, 0, 0, 2), v)
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(t.UnixMicro()-postgresEpoch)) //nolint:gosec // the bits of an int64
}

func appendBytes(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // at most 16
}

// appendText writes the empty string as NULL: a record knows no other absence.
func appendText(b []byte, s string) []byte {
	if s == "" {
		return appendNull(b)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) //nolint:gosec // otelaudit.MaxRecordBytes is less
}

// jsonbVersion comes before the text of a jsonb in binary.
const jsonbVersion = 1

// openJSONB begins a field of type jsonb, whose text comes next.
func openJSONB(b []byte) []byte { return append(b, 0, 0, 0, 0, jsonbVersion) }

// closeJSONB ends the field that begins at start.
func closeJSONB(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // otelaudit.MaxRecordBytes is less
	return b
}

func appendAttributes(b []byte, kvs []attribute.KeyValue) []byte {
	if len(kvs) == 0 {
		return appendNull(b)
	}
	start := len(b)
	return closeJSONB(attrjson.AppendObject(openJSONB(b), kvs), start)
}
