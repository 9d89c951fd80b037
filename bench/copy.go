package main

import (
	"encoding/binary"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// This is the rival of exporter/postgres: what somebody would write by hand who needs these columns filled from these
// records and nothing else. No other kind of record, no limits, no errors, no second attempt; one statement for each batch.

// copiedColumns are the columns in the order in which appendCopyRow writes them.
const copiedColumns = `time, id, observed_time, schema_version, trace_flags, action, verb, actor_type, actor_id, actor_name, ` +
	`actor, on_behalf_of, target_type, target_id, target_name, related, outcome, error_type, reason, changes, metadata, ` +
	`tenant_id, operation_id, client_address, request, trace_id, span_id, service_name, resource, sanitized`

const copiedColumnCount = 30

const copyStatement = `COPY otelaudit.activity (` + copiedColumns + `) FROM STDIN BINARY`

// appendCopy appends records to b as COPY … BINARY has them. resource is theirs, as JSON.
func appendCopy(b []byte, records []*otelaudit.Record, service, resource string) []byte {
	b = append(b, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, r := range records {
		b = appendCopyRow(b, r, service, resource)
	}
	return append(b, 0xff, 0xff)
}

func appendCopyRow(b []byte, r *otelaudit.Record, service, resource string) []byte {
	const epoch = 946_684_800_000_000 // 2000-01-01 in Unix microseconds
	b = binary.BigEndian.AppendUint16(b, copiedColumnCount)
	b = copyInt8(b, r.Time.UnixMicro()-epoch)
	b = copyText(b, string(r.ID[:]))
	b = copyInt8(b, r.Observed.UnixMicro()-epoch)
	b = copyInt2(b, 1)
	b = copyInt2(b, uint16(r.TraceFlags))
	b = copyText(b, r.Action)
	b = copyText(b, r.Verb)
	b = copyText(b, string(r.Actor.Type))
	b = copyText(b, r.Actor.ID)
	b = copyText(b, r.Actor.Name)
	b = copyActor(b, &r.Actor)
	b = copyNull(b) // on_behalf_of
	b = copyText(b, r.Target.Type)
	b = copyText(b, r.Target.ID)
	b = copyText(b, r.Target.Name)
	b = copyNull(b) // related
	b = copyText(b, string(r.Outcome))
	b = copyText(b, r.ErrorType)
	b = copyText(b, r.Reason)
	b = copyChanges(b, r.Changes)
	b = copyMetadata(b, r.Metadata)
	b = copyText(b, r.Tenant)
	b = copyText(b, r.Operation)
	b = copyText(b, r.Request.ClientAddress)
	b = copyRequest(b, &r.Request)
	b = copyText(b, string(r.TraceID[:]))
	b = copyText(b, string(r.SpanID[:]))
	b = copyText(b, service)
	b = copyJSON(b, func(b []byte) []byte { return append(b, resource...) })
	return copyNull(b) // sanitized
}

func copyNull(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff) }

func copyInt2(b []byte, v uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, 0, 0, 0, 2), v)
}

func copyInt8(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(v)) //nolint:gosec // its two's complement is the format
}

func copyText(b []byte, s string) []byte {
	if s == "" {
		return copyNull(b)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) //nolint:gosec // short
}

func copyJSON(b []byte, text func([]byte) []byte) []byte {
	start := len(b)
	b = text(append(b, 0, 0, 0, 0, 1)) // 1 is the version of jsonb's binary form
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

func copyActor(b []byte, a *otelaudit.Actor) []byte {
	return copyJSON(b, func(b []byte) []byte { return appendActorJSON(b, a) })
}

func appendActorJSON(b []byte, a *otelaudit.Actor) []byte {
	b = append(b, `{"roles":[`...)
	for i, role := range a.Roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonString(b, role)
	}
	b = jsonString(append(b, `],"tenant":`...), a.Tenant)
	b = jsonString(append(b, `,"auth_method":`...), a.AuthMethod)
	b = jsonString(append(b, `,"trust":`...), a.Trust.String())
	return append(b, '}')
}

func copyChanges(b []byte, changes otelaudit.Changes) []byte {
	if len(changes) == 0 {
		return copyNull(b)
	}
	return copyJSON(b, func(b []byte) []byte {
		b = append(b, '{')
		for i := range changes {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(jsonString(b, changes[i].Field), `:{"old":`...)
			b = append(jsonValue(b, changes[i].Old), `,"new":`...)
			b = append(jsonValue(b, changes[i].New), '}')
		}
		return append(b, '}')
	})
}

func copyMetadata(b []byte, metadata []attribute.KeyValue) []byte {
	return copyJSON(b, func(b []byte) []byte { return jsonObject(b, metadata) })
}

func copyRequest(b []byte, q *otelaudit.Request) []byte {
	return copyJSON(b, func(b []byte) []byte {
		b = jsonString(append(b, `{"method":`...), q.Method)
		b = jsonString(append(b, `,"route":`...), q.Route)
		b = jsonString(append(b, `,"path":`...), q.Path)
		b = jsonString(append(b, `,"peer_address":`...), q.PeerAddress)
		b = jsonString(append(b, `,"user_agent":`...), q.UserAgent)
		b = jsonString(append(b, `,"id":`...), q.ID)
		return append(b, '}')
	})
}

func jsonObject(b []byte, kvs []attribute.KeyValue) []byte {
	b = append(b, '{')
	for i := range kvs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(jsonString(b, string(kvs[i].Key)), ':')
		b = jsonValue(b, kvs[i].Value)
	}
	return append(b, '}')
}

func jsonValue(b []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.BOOL:
		return strconv.AppendBool(b, v.AsBool())
	case attribute.INT64:
		return strconv.AppendInt(b, v.AsInt64(), 10)
	default:
		return jsonString(b, v.AsString())
	}
}

// jsonString knows that there is ASCII only, and nothing to escape but quotes and backslashes.
func jsonString(b []byte, s string) []byte {
	if strings.ContainsAny(s, `"\`) {
		s = strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s)
	}
	return append(append(append(b, '"'), s...), '"')
}
